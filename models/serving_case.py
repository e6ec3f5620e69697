"""What is served, on what, within which limits: the inputs of the serving model, read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.decode import tokens_per_iteration
from models.inputs import Array, Known, integer, number
from models.serving_device import Device, device_of, mesh
from models.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Case:
    """One block of serving designs; arrays end in the three dimensions of the serving model, of length 1.

    ``new`` and ``cached`` split the prompt [token]; ``context`` is the mean context of a sequence that decodes;
    ``yielded`` the mean tokens of one decode iteration; the limits are the service levels [s]. ``slowness`` multiplies
    the time of every pass.
    """

    device: Device
    shape: Transformer
    devices: int
    prompt: int
    answer: int
    new: Array
    cached: Array
    context: Array
    cache_element: Array
    drafts: int
    yielded: Array
    first_token_limit: Array
    output_token_limit: Array
    slowness: Array


def case_of(known: Known, shape: Transformer, precision: str) -> Case:
    """Return the case of a block of designs."""
    device = device_of(known, precision)
    prompt, answer = integer(known, "input_tokens"), integer(known, "output_tokens")
    drafts = integer(known, "speculative_tokens")
    hit = mesh(number(known, "prefix_cache_hit"))
    return Case(
        device=device,
        shape=shape,
        devices=integer(known, "domains") * device.domain,
        prompt=prompt,
        answer=answer,
        new=np.maximum(prompt * (1 - hit), 1.0),  # the last prompt token is always computed: it gives the first logits
        cached=prompt - np.maximum(prompt * (1 - hit), 1.0),
        context=np.asarray(prompt + answer / 2),
        cache_element=mesh(number(known, "kv_bytes")),
        drafts=drafts,
        yielded=tokens_per_iteration(drafts, mesh(number(known, "speculative_acceptance"))),
        first_token_limit=mesh(number(known, "time_to_first_token_limit")),
        output_token_limit=mesh(number(known, "time_per_output_token_limit")),
        slowness=mesh(number(known, "step_time_factor") if "step_time_factor" in known else np.ones(())),
    )
