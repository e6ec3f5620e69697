"""Money: what a cluster costs to buy, to run for a year, and per hour, token and training run.

Conventions. One currency of one year, USD as the catalogue states them. A year has 8,760 hours; interest compounds
``payments_per_year`` times a year (once unless set) and payments are made at the end of each period. Every cost is
affine in every price, and homogeneous of degree one in all prices together. A cluster costs money all year and earns
it in the fraction ``utilisation`` of the year: costs per hour, token and run spread the whole year's cost over the paid
time. An unknown price makes what depends on it unknown.
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


def network_price(known: Known) -> Array:
    """Return the price of both fabrics of all chips bought [USD]; the scale-up part grows with its bandwidth."""
    bandwidth = number_or_nan(known, "scale_up_bandwidth")
    scale_up = number(known, "chips") * (number_or(known, "scale_up_price_per_bandwidth", 0.0) * bandwidth)
    return scale_up + scale_out_price(known)


def capital(known: Known) -> dict[str, Array]:
    """Return the capital cost by class of asset, and of all equipment and everything [USD].

    Servers (chips with their host share), network (both fabrics) and storage each cost their price times ``1 +
    installation_fraction + import_tariff + tariff of the class - equipment_subsidy``; together they are the equipment.
    The subsidy is a share of the price, below 1, so no class costs less than nothing. Shell: price per watt of the
    provisioned IT power that stands in a building of one's own, which is how construction is priced; cooling and losses
    are in the price, so PUE does not enter.
    """
    chips = number(known, "chips")
    prices = {
        "server": chips * number_or_nan(known, "chip_price"),
        "network": network_price(known),
        "storage": chips * number_or(known, "storage_price_per_chip", 0.0),
    }
    extra = 1 + number_or(known, "installation_fraction", 0.0) + number_or(known, "import_tariff", 0.0)
    extra = extra - number_or(known, "equipment_subsidy", 0.0)
    parts = {name: price * (extra + number_or(known, f"{name}_tariff", 0.0)) for name, price in prices.items()}
    equipment = parts["server"] + parts["storage"] + parts["network"]
    owned = 1 - number_or(known, "colocation_share", 0.0)
    shell = number_or_nan(known, "shell_price_per_power") * owned * number_or_nan(known, "it_power_peak")
    return {f"{name}_cost": cost for name, cost in parts.items()} | {
        "equipment_cost": equipment,
        "shell_cost": shell,
        "capital_cost": equipment + shell,
    }


def recovery(known: Known, bought: Known) -> dict[str, Array]:
    """Return the capital recovered in a year by class of asset, and the part of all of it that is interest [USD/s].

    Each class has its own life n and residual value; network and storage take those of the equipment where nothing
    else is said, as servers do. With ``payments_per_year`` m the nominal rate is compounded m times a year. Interest
    is what lies above straight-line recovery ``P (1 - residual_fraction) / n``.
    """
    often = number_or(known, "payments_per_year", 1.0)
    rate = number_or_nan(known, "wacc") / often
    equipment_life = number_or_nan(known, "equipment_life")
    residual = number_or(known, "residual_fraction", 0.0)
    terms = {
        "server": (equipment_life, residual),
        "network": (_own(known, "network_life", equipment_life), _own(known, "network_residual_fraction", residual)),
        "storage": (_own(known, "storage_life", equipment_life), _own(known, "storage_residual_fraction", residual)),
        "shell": (number_or_nan(known, "shell_life"), number_or(known, "shell_residual_fraction", 0.0)),
    }
    payments, interest = {}, np.zeros(())
    per_second = often / YEAR
    for name, (life, worth) in terms.items():
        unit = annuity(per_second, rate, per_second * life, worth)
        payments[f"annual_{name}_capital_cost"] = bought[f"{name}_cost"] * unit
        interest = interest + bought[f"{name}_cost"] * (unit - (1 - worth) / life)
    return payments | {"annual_interest_cost": interest}


def _own(known: Known, name: str, general: Array) -> Array:
    """Return what holds for one class of asset, or what holds for all equipment where nothing is said of the class."""
    return general if known.get(name) is None else number(known, name)


def staff_cost(known: Known) -> Array:
    """Return the operating staff [USD/s]: per provisioned IT power and per scale-up domain, times the multiplier.

    The multiplier is the software's maturity: three to five is claimed, without a source, of one vendor's.
    """
    per_power = number_or_nan(known, "staff_cost") * number_or(known, "staff_multiplier", 1.0)
    per_system = number_or(known, "staff_cost_per_system", 0.0) * number_or(known, "staff_multiplier", 1.0)
    return per_power * number_or_nan(known, "it_power_peak") + per_system * number_or(known, "domains", 1.0)


def maintenance_cost(known: Known, equipment: Array) -> Array:
    """Return maintenance [USD/s]: a fraction of the equipment, and new optical modules for those that fail.

    ``modules x transceiver_replacement_rate x transceiver_price``, over the modules of both fabrics. Modules fail more
    often than they stop a job, so this is not the rate of interruptions.
    """
    general = number_or_nan(known, "maintenance_fraction") * equipment
    if known.get("transceiver_replacement_rate") is None:
        return np.asarray(general)
    modules = number_or(known, "scale_up_transceivers", 0.0) + number_or_nan(known, "scale_out_transceivers")
    replaced = modules * number(known, "transceiver_replacement_rate")
    return general + replaced * number_or_nan(known, "transceiver_price")


def annual_costs(known: Known, bought: Known) -> dict[str, Array]:
    """Return the costs of a year, each as a rate [USD/s].

    Capital: what is recovered of all classes of asset. Energy: price times the year's facility energy, and the demand
    charge on facility power. Colocation: rent of the share of the provisioned IT power that stands in rented space.
    """
    classes = recovery(known, bought)
    payments = (classes[f"annual_{name}_capital_cost"] for name in ("server", "network", "storage", "shell"))
    energy = number_or_nan(known, "power_price") * (number_or_nan(known, "annual_energy") / YEAR)
    demand = number_or(known, "demand_charge", 0.0) * number_or_nan(known, "facility_power")
    rented = number_or(known, "colocation_share", 0.0) * number_or_nan(known, "it_power_peak")
    return classes | {
        "annual_capital_cost": sum(payments, np.zeros(())),
        "annual_energy_cost": energy + demand,
        "annual_staff_cost": staff_cost(known),
        "annual_colocation_cost": number_or(known, "colocation_rent", 0.0) * rented,
        "annual_maintenance_cost": maintenance_cost(known, bought["equipment_cost"]),
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
    parts = annual_costs(known, bought)
    other = parts["annual_capital_cost"] + parts["annual_maintenance_cost"]
    running = parts["annual_energy_cost"] + (parts["annual_staff_cost"] + parts["annual_colocation_cost"])
    annual = other + running
    unit = ratio(np.ones(()), number(known, "chips") * number_or_nan(known, "utilisation"))
    peak = number_or_nan(known, f"peak_{text(known, 'precision')}")
    often = number_or(known, "payments_per_year", 1.0)
    life = often * (number_or_nan(known, "equipment_life") / YEAR)
    worth = ratio(np.asarray(YEAR), often * capital_recovery_factor(number_or_nan(known, "wacc") / often, life))
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
