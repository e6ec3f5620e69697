"""Money: what a cluster costs to buy, to run for a year, and per hour, token and training run.

Conventions. One currency of one year, USD as the catalogue states them. A year has 8,760 hours; interest compounds
yearly and payments are made at the end of a year. Every cost is affine in every price, and homogeneous of degree one
in all prices together. A cluster costs money all year and earns it in the fraction ``utilisation`` of the year: costs
per hour, token and run spread the whole year's cost over the paid time. An unknown price makes what depends on it
unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arithmetic import number_or, ratio
from models.chip_cost import chip_cost_metrics
from models.inputs import Array, Known, number, number_or_nan, text
from models.power import YEAR


def capital_recovery_factor(rate: Array, periods: Array) -> Array:
    """Return the payment per period that repays one unit of capital: ``r / (1 - (1 + r)^-n)``.

    ``rate`` r: interest per period, as a fraction; ``periods`` n: number of payments, not necessarily whole. Limits:
    1/n as r goes to 0, r as n goes to infinity.
    """
    safe = np.where(rate > 0, rate, 1.0)
    annuity = safe / -np.expm1(-periods * np.log1p(safe))
    return np.where(rate > 0, annuity, np.where(rate == 0, 1 / periods, np.nan))


def annuity(price: Array, rate: Array, periods: Array, residual_fraction: Array | float = 0.0) -> Array:
    """Return the payment per period for capital that keeps a residual value.

    ``(P - R (1 + r)^-n) CRF`` with price P and residual value ``R = residual_fraction x P``; since
    ``(1 + r)^-n CRF = CRF - r`` it is ``P (CRF - residual_fraction (CRF - r))``. A residual of the whole price leaves
    the interest.
    """
    factor = capital_recovery_factor(rate, periods)
    return np.asarray(price * (factor - residual_fraction * (factor - rate)), dtype=np.float64)


def cost_per_token(cost_rate: Array, tokens_per_second: Array, utilisation: Array) -> Array:
    """Return the cost of one token [USD/token]: cost per second over the tokens per second averaged over the year.

    ``cost_rate`` [USD/s] runs all year, ``tokens_per_second`` only in the fraction ``utilisation`` of it.
    """
    return ratio(cost_rate, tokens_per_second * utilisation)


def scale_out_price(known: Known) -> Array:
    """Return the price of the scale-out fabric of all chips bought: NICs, switches and optical modules [USD]."""
    return (
        number_or_nan(known, "nics") * number_or_nan(known, "nic_price")
        + number_or_nan(known, "scale_out_switches") * number_or_nan(known, "scale_out_switch_price")
        + number_or_nan(known, "scale_out_transceivers") * number_or_nan(known, "transceiver_price")
    )


def capital(known: Known) -> dict[str, Array]:
    """Return equipment, network, shell and capital cost [USD].

    Equipment: chips with their host share, both fabrics and storage, times ``1 + installation_fraction +
    import_tariff``. The network is the part of both fabrics in it. Shell: price per watt of provisioned IT power, which
    is how construction is priced; cooling and losses are in the price, so PUE does not enter.
    """
    chips = number(known, "chips")
    bandwidth = number_or_nan(known, "scale_up_bandwidth")
    network = chips * (number_or(known, "scale_up_price_per_bandwidth", 0.0) * bandwidth) + scale_out_price(known)
    extra = 1 + number_or(known, "installation_fraction", 0.0) + number_or(known, "import_tariff", 0.0)
    nodes = chips * (number_or_nan(known, "chip_price") + number_or(known, "storage_price_per_chip", 0.0))
    equipment = (nodes + network) * extra
    shell = number_or_nan(known, "shell_price_per_power") * number_or_nan(known, "it_power_peak")
    return {
        "equipment_cost": equipment,
        "network_cost": network * extra,
        "shell_cost": shell,
        "capital_cost": equipment + shell,
    }


def annual_costs(known: Known, equipment: Array, shell: Array) -> dict[str, Array]:
    """Return the costs of a year, each as a rate [USD/s].

    Capital: annuity of equipment (life, residual value) and of the shell (its own life). Energy: price times the
    year's facility energy, and the demand charge on facility power. Staff: per provisioned IT power, times the software
    multiplier. Colocation: rent per provisioned IT power, instead of a shell of one's own. Maintenance: a fraction of
    the equipment per year.
    """
    wacc = number_or_nan(known, "wacc")
    residual = number_or(known, "residual_fraction", 0.0)
    equipment_payment = annuity(equipment, wacc, number_or_nan(known, "equipment_life") / YEAR, residual)
    shell_payment = annuity(shell, wacc, number_or_nan(known, "shell_life") / YEAR)
    energy = number_or_nan(known, "power_price") * (number_or_nan(known, "annual_energy") / YEAR)
    demand = number_or(known, "demand_charge", 0.0) * number_or_nan(known, "facility_power")
    provisioned = number_or_nan(known, "it_power_peak")
    staff_cost = number_or_nan(known, "staff_cost") * number_or(known, "staff_multiplier", 1.0)
    return {
        "annual_capital_cost": (equipment_payment + shell_payment) / YEAR,
        "annual_energy_cost": energy + demand,
        "annual_staff_cost": staff_cost * provisioned,
        "annual_colocation_cost": number_or(known, "colocation_rent", 0.0) * provisioned,
        "annual_maintenance_cost": number_or_nan(known, "maintenance_fraction") * equipment,
    }


def training_costs(known: Known, annual: Array, annual_energy: Array) -> dict[str, Array]:
    """Return the cost of the run and of a trained token.

    A run pays for the year's cost over the paid time it fills: ``annual_cost x time_to_train / utilisation``, so the
    runs of a year pay for the year. Its energy part is the same share of energy and demand charge.
    """
    share = number_or_nan(known, "time_to_train") / number_or_nan(known, "utilisation")
    return {
        "cost_per_token": annual * (share / number_or_nan(known, "training_tokens")),
        "cost_to_train": annual * share,
        "energy_cost_to_train": annual_energy * share,
    }


def serving_costs(known: Known, annual: Array) -> dict[str, Array]:
    """Return the cost of a generated token, and the cost of input and output tokens apart.

    ``cost_per_token`` charges everything to the generated tokens. The split charges the chips that prefill to the
    input tokens and those that decode to the output tokens, so that input rate times input cost plus output rate times
    output cost is the whole cost again. Where the same chips do both there is no such split (NaN).
    """
    paid = number_or_nan(known, "utilisation") * number_or_nan(known, "goodput")
    output_rate = number_or_nan(known, "tokens_per_second")
    input_rate = number_or_nan(known, "input_tokens_per_second")
    prefill, decode = number_or_nan(known, "prefill_chips"), number_or_nan(known, "decode_chips")
    apart = np.where(prefill > 0, ratio(prefill, prefill + decode), np.nan)
    return {
        "cost_per_token": cost_per_token(annual, output_rate, paid),
        "cost_per_input_token": annual * ratio(apart, input_rate * paid),
        "cost_per_output_token": annual * ratio(1 - apart, output_rate * paid),
    }


def economics_stage(known: Known) -> dict[str, Any]:
    """Return capital [USD], costs of a year [USD/s] and unit costs.

    With ``chip_markup`` set, the chip price is the bottom-up cost of the chip times it, instead of the price stated.
    """
    built = chip_cost_metrics(known)
    if known.get("chip_markup") is not None:
        known = {**known, "chip_price": number_or_nan(built, "chip_cost") * number(known, "chip_markup")}
    bought = capital(known)
    parts = annual_costs(known, bought["equipment_cost"], bought["shell_cost"])
    other = parts["annual_capital_cost"] + parts["annual_maintenance_cost"]
    running = parts["annual_energy_cost"] + (parts["annual_staff_cost"] + parts["annual_colocation_cost"])
    annual = other + running
    unit = ratio(np.ones(()), number(known, "chips") * number_or_nan(known, "utilisation"))
    peak = number_or_nan(known, f"peak_{text(known, 'precision')}")
    life = number_or_nan(known, "equipment_life") / YEAR
    worth = ratio(np.asarray(YEAR), capital_recovery_factor(number_or_nan(known, "wacc"), life))
    metrics = (
        built
        | bought
        | parts
        | {
            "annual_cost": annual,
            "net_present_cost": annual * worth,
            "cost_per_chip_hour": annual * unit,
            "cost_per_petaflops_year": annual * ratio(np.asarray(1e15), number(known, "chips") * peak),
        }
    )
    if text(known, "phase") == "train":
        return metrics | training_costs(known, annual, parts["annual_energy_cost"])
    return metrics | serving_costs(known, annual)
