"""What idle time adds to the energy of a year."""

import pytest

from sweep.accuracy.chip_hours import evaluated
from sweep.accuracy.idle_energy import MACHINES, OWNER, idle_energy
from sweep.catalogue import Catalogue


@pytest.mark.parametrize("system", MACHINES)
def test_hosts_and_fabrics_go_on_while_chips_idle(system):
    catalogue = Catalogue.load()
    found, known = idle_energy(catalogue, system), evaluated(catalogue, system, OWNER, {})
    host, fans, chip = (float(known[name]) for name in ("host_power", "fan_power", "chip_power"))
    network = float(known["network_power"]) / float(known["chips"])
    assert found.idle == pytest.approx(0.114 * chip + 0.8 * host + fans + network)
    assert found.at_work == pytest.approx(0.8 * (chip + host) + fans + network)
    assert found.proportional < found.fabrics < found.energy
