"""Power of a cluster, its energy and its emissions.

Chips draw a fraction of their design power that depends on what they do. In training and prefill so do their hosts:
the fractions are measured on whole servers. In decode, of chips alone, hosts are at full load, and so are fabrics
always. What must be provisioned is every part at design power.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arithmetic import number_or, ratio
from models.carbon import emissions
from models.inputs import Array, Known, number, number_or_nan, text

YEAR = 365 * 24 * 3600.0
"""Seconds of the model's year: 8,760 h, leap days left out."""


def power_fractions(known: Known) -> tuple[Array, Array]:
    """Return the mean power of a used chip and of its host share, each over its design power.

    Training: ``train_power_fraction`` for both, as it is measured on whole servers. Serving: prefill and decode
    fractions weighted by the chips that do each, decode alone when the split is not known; the decode fraction is of
    chips, so hosts of decoding chips are at full load.
    """
    if text(known, "phase") == "train":
        fraction = number_or_nan(known, "train_power_fraction")
        return fraction, fraction
    prefill, decode = number_or_nan(known, "prefill_chips"), number_or_nan(known, "decode_chips")
    share = np.nan_to_num(ratio(prefill, prefill + decode))
    prefill_fraction = number_or_nan(known, "prefill_power_fraction")
    decode_fraction = number_or_nan(known, "decode_power_fraction")
    chip = np.where(share > 0, share * prefill_fraction + (1 - share) * decode_fraction, decode_fraction)
    return chip, np.where(share > 0, share * prefill_fraction + (1 - share), 1.0)


def network_power(known: Known) -> Array:
    """Return the power of both fabrics [W].

    Scale-up: in proportion to chips and their scale-up bandwidth. Scale-out: NICs, switches and modules of the bill
    of materials.
    """
    per_chip = number_or(known, "scale_up_power_per_bandwidth", 0.0) * number_or_nan(known, "scale_up_bandwidth")
    return (
        number(known, "chips") * per_chip
        + number_or_nan(known, "nics") * number_or_nan(known, "nic_power")
        + number_or_nan(known, "scale_out_switches") * number_or_nan(known, "scale_out_switch_power")
        + number_or_nan(known, "scale_out_transceivers") * number_or_nan(known, "transceiver_power")
    )


def annual_energy(known: Known, it_power: Array, it_power_peak: Array) -> Array:
    """Return the facility's energy in a year [J].

    ``pue x year x (u x it_power + (1 - u) x idle_power_fraction x it_power_peak)`` with utilisation u: without paid
    work the machine stays on and idles as a whole.
    """
    utilisation = number_or_nan(known, "utilisation")
    idle = (1 - utilisation) * number_or_nan(known, "idle_power_fraction") * it_power_peak
    return number_or_nan(known, "power_usage_effectiveness") * YEAR * (utilisation * it_power + idle)


def power_stage(known: Known) -> dict[str, Any]:
    """Return powers [W], energies [J] and emissions [kg] of the cluster bought.

    Mean IT power: used chips and their hosts at their mean power, the other chips idling on hosts at full load, both
    fabrics. Peak: all chips at design power. Facility power: peak times power usage effectiveness (PUE). Energy of a
    run: mean IT power times PUE over its whole wall-clock time, restarts included. Reads ``goodput`` and, in training,
    ``time_to_train``, so it runs after reliability.
    """
    chips, used = number(known, "chips"), number(known, "chips_used")
    chip_power, host = number_or_nan(known, "chip_power"), number_or_nan(known, "host_power")
    pue = number_or_nan(known, "power_usage_effectiveness")
    chip_fraction, host_fraction = power_fractions(known)
    mean = chip_fraction * chip_power
    idle_chip = number_or_nan(known, "idle_power_fraction") * chip_power
    idle = np.where(chips > used, (chips - used) * (idle_chip + host), 0)
    network = network_power(known)
    it_power = used * (mean + host_fraction * host) + idle + network
    peak = chips * (chip_power + host) + network
    useful_rate = number_or_nan(known, "tokens_per_second") * number_or_nan(known, "goodput")
    run = it_power * pue * number_or_nan(known, "time_to_train")
    year = annual_energy(known, it_power, peak)
    intensity = number_or_nan(known, "carbon_intensity")
    metrics = {
        "chip_power_mean": mean,
        "network_power": network,
        "it_power": it_power,
        "it_power_peak": peak,
        "facility_power": peak * pue,
        "energy_per_token": ratio(it_power * pue, useful_rate),
        "annual_energy": year,
        "annual_carbon": emissions(year, intensity),
    }
    if text(known, "phase") == "train":
        metrics |= {"energy_to_train": run, "carbon_to_train": emissions(run, intensity)}
    return metrics
