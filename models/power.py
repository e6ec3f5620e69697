"""Power of a cluster, its energy and its emissions.

Chips draw a fraction of their design power that depends on what they do. In training and prefill so do their hosts:
the fractions are measured on whole servers. In decode, of chips alone, hosts are at full load, and so are fabrics
always. Without work only chips draw less: hosts and fans go on as at work (pessimistic: no source has them idle), and
fabrics at full power. What must be provisioned is every part at design power.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arithmetic import number_or, ratio
from models.carbon import emissions
from models.inputs import Array, Known, number, number_or_nan, text
from models.power_cap import capped_draw

YEAR = 365 * 24 * 3600.0
"""Seconds of the model's year: 8,760 h, leap days left out."""


def phase_fractions(known: Known) -> dict[str, tuple[Array, Array]]:
    """Return the mean power of a used chip and of its host share, each over its design power, by phase.

    Training and prefill: ``train_power_fraction`` and ``prefill_power_fraction`` for both, as they are measured on
    whole servers. Decode: ``decode_power_fraction`` of the chip, with its host at full load. A cap clips the draw of
    compute-bound phases while matrix units run (``models.power_cap``), and that of decode where it would be higher.
    """
    if text(known, "phase") == "train":
        fraction = number_or_nan(known, "train_power_fraction")
        return {"train": (capped_draw(known, fraction), fraction)}
    cap = number_or(known, "power_cap", 1.0)
    prefill = number_or_nan(known, "prefill_power_fraction")
    decode = number_or_nan(known, "decode_power_fraction")
    return {"prefill": (capped_draw(known, prefill), prefill), "decode": (np.minimum(decode, cap), np.ones(()))}


def prefill_share(known: Known) -> Array:
    """Return the chips that prefill over the chips that serve; NaN where the same chips do both, or nobody knows."""
    prefill, decode = number_or_nan(known, "prefill_chips"), number_or_nan(known, "decode_chips")
    return np.where(prefill > 0, ratio(prefill, prefill + decode), np.nan)


def power_fractions(known: Known) -> tuple[Array, Array]:
    """Return the mean power of a used chip and of its host share, each over its design power.

    Serving weighs prefill and decode by the chips that do each, decode alone when the split is not known.
    """
    phases = phase_fractions(known)
    if "train" in phases:
        return phases["train"]
    share = np.nan_to_num(prefill_share(known))
    chip, host = (
        np.where(share > 0, share * during_prefill + (1 - share) * during_decode, during_decode)
        for during_prefill, during_decode in zip(phases["prefill"], phases["decode"], strict=True)
    )
    return chip, host


def network_powers(known: Known) -> dict[str, Array]:
    """Return the power of the fabrics by part [W]: scale-up, scale-out NICs and switches, scale-out modules.

    Scale-up: in proportion to chips and their scale-up bandwidth, its own modules included. Scale-out: the parts of
    the bill of materials. All of them draw their full power always.
    """
    per_chip = number_or(known, "scale_up_power_per_bandwidth", 0.0) * number_or_nan(known, "scale_up_bandwidth")
    return {
        "scale_up_power": number(known, "chips") * per_chip,
        "scale_out_power": number_or_nan(known, "nics") * number_or_nan(known, "nic_power")
        + number_or_nan(known, "scale_out_switches") * number_or_nan(known, "scale_out_switch_power"),
        "optics_power": number_or_nan(known, "scale_out_transceivers") * number_or_nan(known, "transceiver_power"),
    }


def working_powers(known: Known, network: dict[str, Array], fractions: tuple[Array, Array]) -> dict[str, Array]:
    """Return the mean power of the cluster at work by part [W]; the parts add up to ``it_power``.

    Used chips at their mean power, the others idle; all hosts at the mean power of hosts at work; fans and both
    fabrics (``network``: their parts) at full load; ``fractions`` as of ``power_fractions``. Conversion: what the power
    supplies turn into heat, ``(1 / efficiency - 1)`` of all that.
    """
    chips, used = number(known, "chips"), number(known, "chips_used")
    chip_power, host = number_or_nan(known, "chip_power"), number_or_nan(known, "host_power")
    chip_fraction, host_fraction = fractions
    idle = np.where(chips > used, chips - used, 0)
    idle_compute = np.where(idle > 0, idle * (idle_fraction(known) * chip_power), 0)
    parts = {
        "compute_power": used * (chip_fraction * chip_power) + idle_compute,
        "hosts_power": np.maximum(chips, used) * (host_fraction * host),
        "fans_power": chips * number_or(known, "fan_power", 0.0),
    } | network
    return parts | {"conversion_loss": sum(parts.values(), np.zeros(())) * conversion_overhead(known)}


def conversion_overhead(known: Known) -> Array:
    """Return the power lost in supplies and converters over the power they deliver: ``1 / efficiency - 1``."""
    return np.asarray(1 / number_or(known, "power_conversion_efficiency", 1.0) - 1)


def peak_power(known: Known, network: Array) -> Array:
    """Return the IT power with every chip at its cap, or at its design power, and every other part at its own [W]."""
    chips, chip_power = number(known, "chips"), number_or(known, "power_cap", 1.0) * number_or_nan(known, "chip_power")
    other = chips * (number_or_nan(known, "host_power") + number_or(known, "fan_power", 0.0)) + network
    return (chips * chip_power + other) * (1 + conversion_overhead(known))


def idle_fraction(known: Known) -> Array:
    """Return the power of an idle chip over its design power; a cap below it holds, too."""
    return np.minimum(number_or_nan(known, "idle_power_fraction"), number_or(known, "power_cap", 1.0))


def idle_power(known: Known, it_power: Array, chip_fraction: Array) -> Array:
    """Return the IT power of the machine without work [W]: that at work, less what its used chips no longer draw.

    ``it_power - used x (mean - idle) chip power / efficiency``, the mean being ``chip_fraction`` of design power:
    hosts, fans and fabrics draw what they do at work.
    """
    less = (chip_fraction - idle_fraction(known)) * number_or_nan(known, "chip_power")
    return it_power - number(known, "chips_used") * less * (1 + conversion_overhead(known))


def annual_energy(known: Known, it_power: Array, chip_fraction: Array) -> Array:
    """Return the facility's energy in a year [J].

    ``pue x year x (u x it_power + (1 - u) x idle_power)`` with utilisation u: without paid work the machine stays on,
    its chips idle.
    """
    utilisation = number_or_nan(known, "utilisation")
    mean = utilisation * it_power + (1 - utilisation) * idle_power(known, it_power, chip_fraction)
    return number_or_nan(known, "power_usage_effectiveness") * YEAR * mean


def serving_energies(known: Known, powers: Known, it_power: Array) -> dict[str, Array]:
    """Return the facility's energy per prompt token and per generated token [J].

    The chips that prefill and their hosts are charged to the input, those that decode to the output; all other power
    goes by the chips of each. Input rate times input energy plus output rate times output energy is the facility's
    power again. Where the same chips do both there is no such split (NaN).
    """
    share, phases = prefill_share(known), phase_fractions(known)
    used, chip, host = (number_or_nan(known, name) for name in ("chips_used", "chip_power", "host_power"))
    delivered = it_power - powers["conversion_loss"]
    servers = {name: chip_part * chip + host_part * host for name, (chip_part, host_part) in phases.items()}
    other = delivered - used * (share * servers["prefill"] + (1 - share) * servers["decode"])
    losses = number_or_nan(known, "power_usage_effectiveness") * (1 + conversion_overhead(known))
    goodput = number_or_nan(known, "goodput")
    into = losses * share * (used * servers["prefill"] + other)
    out = losses * (1 - share) * (used * servers["decode"] + other)
    return {
        "energy_per_input_token": ratio(into, number_or_nan(known, "input_tokens_per_second") * goodput),
        "energy_per_output_token": ratio(out, number_or_nan(known, "tokens_per_second") * goodput),
    }


def power_stage(known: Known) -> dict[str, Any]:
    """Return powers [W], energies [J] and emissions [kg] of the cluster bought.

    Mean IT power: what the parts draw at work. Peak: all chips at design power, or at their cap. Facility power: peak
    times power usage effectiveness (PUE). Energy of a run: mean IT power times PUE over its whole wall-clock time,
    restarts included. Reads ``goodput`` and, in training, ``time_to_train``, so it runs after reliability.
    """
    pue = number_or_nan(known, "power_usage_effectiveness")
    parts = network_powers(known)
    network = parts["scale_up_power"] + parts["scale_out_power"] + parts["optics_power"]
    fractions = power_fractions(known)
    powers = working_powers(known, parts, fractions)
    it_power = sum(powers.values(), np.zeros(()))
    peak = peak_power(known, network)
    useful_rate = number_or_nan(known, "tokens_per_second") * number_or_nan(known, "goodput")
    run = it_power * pue * number_or_nan(known, "time_to_train")
    year = annual_energy(known, it_power, fractions[0])
    intensity = number_or_nan(known, "carbon_intensity")
    metrics = powers | {
        "chip_power_mean": fractions[0] * number_or_nan(known, "chip_power"),
        "network_power": network,
        "it_power": it_power,
        "it_power_peak": peak,
        "facility_power": peak * pue,
        "energy_per_token": ratio(it_power * pue, useful_rate),
        "annual_energy": year,
        "annual_carbon": emissions(year, intensity),
    }
    if text(known, "phase") == "train":
        return metrics | {"energy_to_train": run, "carbon_to_train": emissions(run, intensity)}
    return metrics | serving_energies(known, powers, it_power)
