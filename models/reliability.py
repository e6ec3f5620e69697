"""Failures of a cluster, the checkpoints they call for, and the share of time in which work is done.

Failures are independent and memoryless; their rates add. Rates are of failures that stop a job, not of parts replaced.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arithmetic import number_or, ratio
from models.inputs import Array, Known, number, number_or_nan, text
from models.reasons import Reason

SWITCHES = ("scale_up_switch_chips", "scale_up_spine_chips", "scale_out_switches")
LARGEST = 1 - 2**-53
"""Largest share of the time that a domain is out, for its logarithm."""


def failures_by_component(known: Known) -> dict[str, Array]:
    """Return the failures per second that stop a job on all used chips, by the component that fails [1/s].

    Chips and hosts of the chips used; network interfaces, switches (switch chips of the scale-up fabric and switches
    of the other) and optical modules of both fabrics in proportion to the chips used. A component whose rate is zero
    fails never, known count or not; one without a stated rate but the three the model needs does not fail either.
    """
    used = number(known, "chips_used")
    share = used / number(known, "chips")
    switches = sum((number_or(known, name, 0.0) for name in SWITCHES), np.zeros(()))
    modules = number_or_nan(known, "scale_up_transceivers") + number_or_nan(known, "scale_out_transceivers")
    hosts = used / number_or_nan(known, "chips_per_node")
    return {
        "chip_failures": used * number_or_nan(known, "chip_failure_rate"),
        "host_failures": hosts * number_or_nan(known, "host_failure_rate"),
        "nic_failures": share * _failures(number_or_nan(known, "nics"), number_or(known, "nic_failure_rate", 0.0)),
        "switch_failures": share * _failures(switches, number_or(known, "switch_failure_rate", 0.0)),
        "transceiver_failures": share * (modules * number_or_nan(known, "transceiver_failure_rate")),
    }


def _failures(count: Array, rate: Array) -> Array:
    """Return ``count x rate``, zero where the rate is, even of an unknown count."""
    return np.where(rate == 0, 0.0, count * rate)


def optimal_checkpoint_interval(failure_rate: Array, write_time: Array) -> Array:
    """Return the time between checkpoints that loses least: ``sqrt(2 w / rate)`` [s]; infinite without failures.

    ``failure_rate`` [1/s] of the job; ``write_time`` w [s] that it stands still per checkpoint. First order: Young
    1974, doi:10.1145/361147.361115. Daly's low-order form is this less w, doi:10.1016/j.future.2004.11.016.
    """
    rate = np.where(failure_rate > 0, failure_rate, np.where(failure_rate == 0, 1.0, np.nan))
    return np.where(failure_rate == 0, np.inf, np.sqrt(2 * write_time / rate))


def effective_training_time_ratio(failure_rate: Array, write_time: Array, restart_time: Array) -> Array:
    """Return effective over wall-clock training time at the optimal checkpoint interval, 0 at the least.

    ``(1 - rate (u + t/2)) / (1 + w/t)`` for interval t, write time w and restart time u [s], Kokolis et al. 2024,
    arXiv:2410.21680. At ``t = sqrt(2 w / rate)`` both ``rate t / 2`` and ``w / t`` are ``x = sqrt(rate w / 2)``, so
    it is ``(1 - rate u - x) / (1 + x)``: exactly 1 without failures. The form is of first order and pessimistic near
    0, where failures come as fast as restarts: there it is floored, and the machine makes no progress.
    """
    lost = np.sqrt(failure_rate * write_time / 2)
    return np.asarray(np.maximum((1 - failure_rate * restart_time - lost) / (1 + lost), 0))


def spares_suffice(out: Array, domains: Array, spares: Array) -> Array:
    """Return the probability that no more domains are out than spares stand by.

    ``out`` p: share of its time that one domain is out; ``domains`` N, the spares among them; ``spares`` s: whole
    domains. Domains fail independently, so the number out is binomial: ``sum over k <= s of C(N, k) p^k (1-p)^(N-k)``,
    as Google plans its cubes (Zu et al., NSDI 2024); 1 when nothing is ever out. Terms are added until they change no
    element, so a result does not depend on the others in its block.
    """
    unknown = np.isnan(out + domains + spares)
    if not (out > 0).any():
        return np.where(unknown, np.nan, 1.0)
    odds = np.log(np.where(out > 0, out, 0.5)) - np.log1p(-np.minimum(out, LARGEST))
    log_term = domains * np.log1p(-np.minimum(out, LARGEST))
    total = np.zeros(np.broadcast_shapes(np.shape(out), np.shape(domains), np.shape(spares)))
    most = 0 if np.isnan(spares).all() else int(np.nanmax(spares))
    for k in range(most + 1):
        added = np.where(spares >= k, total + np.exp(log_term), total)
        if np.array_equal(added, total, equal_nan=True) and not (k <= out * domains).any():
            break
        total = added
        with np.errstate(divide="ignore"):  # no more can be out than there are
            log_term = log_term + odds + np.log(np.maximum(domains - k, 0) / (k + 1))
    return np.where(unknown, np.nan, np.where(out > 0, np.minimum(total, 1), 1.0))


def training_goodput(known: Known, failure_rate: Array) -> Array:
    """Return the effective training time ratio times the share of time in which no more domains are out than spares.

    A failed domain is out for ``t = repair_time`` after the job has restarted: ``r t / (1 + r t)`` of the time at r
    failures per second and domain. While more are out than spares
    (``spare_fraction`` of the domains bought) stand by, the job waits. A repair time of zero means that domains come
    back with the restart, and spares then have nothing to do.
    """
    running = effective_training_time_ratio(
        failure_rate, number_or_nan(known, "checkpoint_write_time"), number_or_nan(known, "restart_time")
    )
    domains = number(known, "domains")
    spares = np.floor(number_or(known, "spare_fraction", 0.0) * domains * (1 + 1e-12))
    broken = failure_rate / domains * number_or(known, "repair_time", 0.0)
    return running * spares_suffice(broken / (1 + broken), domains, spares)


def serving_goodput(known: Known, failure_rate: Array) -> Array:
    """Return the share of the serving capacity that is up, at most 1.

    A failure takes its domain out for ``t = restart_time + repair_time``; a domain is up ``1 / (1 + r t)`` of the time
    at r failures per second and domain. Spare domains replace those that are out: capacity bought over capacity
    needed, ``1 / (1 - spare_fraction)``.
    """
    domains_used = number(known, "chips_used") / number(known, "scale_up_size")
    out = number_or_nan(known, "restart_time") + number_or(known, "repair_time", 0.0)
    up = 1 / (1 + ratio(failure_rate, domains_used) * out)
    return np.minimum(up / (1 - number_or(known, "spare_fraction", 0.0)), 1)


def no_progress(known: Known, goodput: Array) -> dict[str, Array]:
    """Return status and reason with the designs of goodput 0 infeasible; an earlier reason stays."""
    status, reason = np.asarray(known["status"]), np.asarray(known["reason"])
    stuck = (goodput == 0) & (status == 0)
    return {
        "status": np.where(stuck, 1, status).astype(np.int8),
        "reason": np.where(stuck, Reason.FAILURES, reason).astype(np.int16),
    }


def reliability_stage(known: Known) -> dict[str, Any]:
    """Return failures by component and in all, checkpoint interval [s], goodput and the time to train [s].

    ``time_to_train = training_tokens / (tokens_per_second x goodput)``. A machine that fails as fast as it restarts
    has goodput 0 and no time to train (NaN): the design is infeasible, with that as its reason.
    """
    components = failures_by_component(known)
    rate = sum(components.values(), np.zeros(()))
    training = text(known, "phase") == "train"
    goodput = training_goodput(known, rate) if training else serving_goodput(known, rate)
    metrics = components | {
        "failures_per_day": rate,
        "mean_time_between_failures": np.where(rate == 0, np.inf, ratio(np.ones(()), rate)),
        "goodput": goodput,
    }
    if training:
        useful_rate = number_or_nan(known, "tokens_per_second") * goodput
        write_time = number_or_nan(known, "checkpoint_write_time")
        time = ratio(number_or_nan(known, "training_tokens"), useful_rate)
        metrics |= {
            "checkpoint_interval": optimal_checkpoint_interval(rate, write_time),
            "time_to_train": time,
            "failures_to_train": rate * time,
        }
        metrics |= no_progress(known, goodput) if "status" in known else {}
    return metrics
