"""The shape of a transformer and what follows from it by counting: parameters, FLOPs, bytes.

Conventions, used everywhere in this package:

* one multiply-add is two FLOPs; only matrix products and attention scores count;
* the *model FLOPs* of a trained token are 6 x the matrix parameters that the token passes through (the output head
  included, the input embedding look-up, biases and norms excluded) + 3 x the causal half of the attention scores;
* parameters include embedding and head, exclude the multi-token-prediction module (``mtp_parameters`` counts it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Transformer:
    """The shape of a decoder-only transformer.

    Zero means "does not have": no experts, no latent attention, no multi-token prediction. ``shared_experts`` counts
    experts of width ``expert_ffn_hidden`` that see every token; ``shared_ffn_hidden`` replaces their joint width when
    a model states it. Every ``moe_every``-th layer after the first ``first_dense_layers`` is a mixture of experts.
    Multi-head latent attention (MLA) is on when ``kv_lora_rank`` is positive. A positive ``sliding_window`` limits
    every second layer to that many keys (the alternating pattern of gpt-oss).
    """

    layers: int
    hidden: int
    ffn_hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_ffn_hidden: int = 0
    shared_experts: int = 0
    shared_ffn_hidden: int = 0
    first_dense_layers: int = 0
    moe_every: int = 1
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    mtp_layers: int = 0
    sliding_window: int = 0
    learned_positions: int = 0
    attention_bias: bool = False

    @property
    def latent_attention(self) -> bool:
        """Whether keys and values are kept as one latent vector per token (MLA)."""
        return self.kv_lora_rank > 0

    @property
    def moe_layers(self) -> int:
        """Layers whose feed-forward part is a mixture of experts."""
        if not self.experts:
            return 0
        return (self.layers - self.first_dense_layers) // self.moe_every

    @property
    def dense_layers(self) -> int:
        """Layers with one plain feed-forward part."""
        return self.layers - self.moe_layers

    @property
    def qk_width(self) -> int:
        """Width of one head in the query-key product."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim if self.latent_attention else self.head_dim

    @property
    def v_width(self) -> int:
        """Width of one head in the probability-value product."""
        return self.v_head_dim if self.latent_attention else self.head_dim

    @property
    def mlp_matrices(self) -> int:
        """Matrices of one feed-forward part: gate, up and down, or up and down."""
        return 3 if self.gated_mlp else 2

    @property
    def shared_width(self) -> int:
        """Joint width of the experts that see every token."""
        return self.shared_ffn_hidden or self.shared_experts * self.expert_ffn_hidden


@dataclass(frozen=True, slots=True)
class Matrix:
    """One weight matrix of a layer: ``inputs`` x ``outputs``.

    ``split`` says which side tensor parallelism cuts: ``outputs`` (column parallel), ``inputs`` (row parallel) or
    ``none`` (every rank holds all of it).
    """

    name: str
    inputs: int
    outputs: int
    split: str

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.inputs * self.outputs


def attention_matrices(shape: Transformer) -> tuple[Matrix, ...]:
    """Weight matrices of the attention part of one layer.

    Grouped-query attention: joint query-key-value projection and output projection. Latent attention (DeepSeek-V2,
    arXiv:2405.04434, section 2.1): down-projections to the query and key-value latents, up-projections to the heads.
    """
    hidden, heads = shape.hidden, shape.heads
    if not shape.latent_attention:
        qkv = (heads + 2 * shape.kv_heads) * shape.head_dim
        return (
            Matrix("qkv", hidden, qkv, "outputs"),
            Matrix("attention_out", heads * shape.head_dim, hidden, "inputs"),
        )
    query = (
        (
            Matrix("q_down", hidden, shape.q_lora_rank, "none"),
            Matrix("q_up", shape.q_lora_rank, heads * shape.qk_width, "outputs"),
        )
        if shape.q_lora_rank
        else (Matrix("q", hidden, heads * shape.qk_width, "outputs"),)
    )
    return (
        *query,
        Matrix("kv_down", hidden, shape.kv_lora_rank + shape.qk_rope_head_dim, "none"),
        Matrix("kv_up", shape.kv_lora_rank, heads * (shape.qk_nope_head_dim + shape.v_head_dim), "outputs"),
        Matrix("attention_out", heads * shape.v_head_dim, hidden, "inputs"),
    )


def mlp_matrices(shape: Transformer, width: int) -> tuple[Matrix, ...]:
    """Weight matrices of a feed-forward part of a given width; gate and up are one product, as frameworks run them."""
    if not width:
        return ()
    up = (shape.mlp_matrices - 1) * width
    return (Matrix("mlp_up", shape.hidden, up, "outputs"), Matrix("mlp_down", width, shape.hidden, "inputs"))


def attention_parameters(shape: Transformer) -> int:
    """Parameters of the attention part of one layer: matrices, biases, latent norms."""
    matrices = attention_matrices(shape)
    weights = sum(matrix.size for matrix in matrices)
    biases = sum(matrix.outputs for matrix in matrices) if shape.attention_bias else 0
    return weights + biases + shape.q_lora_rank + shape.kv_lora_rank


def mlp_parameters(shape: Transformer, width: int) -> int:
    """Parameters of one feed-forward part of a given width; the plain (GPT) form has biases."""
    biases = 0 if shape.gated_mlp or not width else width + shape.hidden
    return shape.mlp_matrices * shape.hidden * width + biases


def norm_parameters(shape: Transformer) -> int:
    """Parameters of the two norms of one layer; the plain (GPT) form has offsets."""
    return (2 if shape.gated_mlp else 4) * shape.hidden


def router_parameters(shape: Transformer) -> int:
    """Parameters of the expert gate of one mixture layer."""
    return shape.hidden * shape.experts


def dense_layer_parameters(shape: Transformer) -> int:
    """Parameters of one layer with a plain feed-forward part."""
    return attention_parameters(shape) + norm_parameters(shape) + mlp_parameters(shape, shape.ffn_hidden)


def expert_parameters(shape: Transformer) -> int:
    """Parameters of the routed experts of one mixture layer."""
    return shape.experts * mlp_parameters(shape, shape.expert_ffn_hidden)


def moe_layer_parameters(shape: Transformer) -> int:
    """Parameters of one mixture layer without its routed experts."""
    shared = mlp_parameters(shape, shape.shared_width)
    return attention_parameters(shape) + norm_parameters(shape) + router_parameters(shape) + shared


def embedding_parameters(shape: Transformer) -> int:
    """Parameters of the input embedding (and learned positions)."""
    return (shape.vocabulary + shape.learned_positions) * shape.hidden


def head_parameters(shape: Transformer) -> int:
    """Weights of the output product, whether or not they are shared with the embedding."""
    return shape.vocabulary * shape.hidden


def parameters(shape: Transformer) -> int:
    """Parameters of the model; embedding and head included, multi-token prediction excluded."""
    layers = shape.dense_layers * dense_layer_parameters(shape) + shape.moe_layers * (
        moe_layer_parameters(shape) + expert_parameters(shape)
    )
    head = 0 if shape.tied_embeddings else head_parameters(shape)
    return layers + embedding_parameters(shape) + head + norm_parameters(shape) // 2


def active_parameters(shape: Transformer) -> int:
    """Parameters that one token passes through; embedding and head included, as publishers count them."""
    idle = shape.experts - shape.experts_per_token
    return parameters(shape) - shape.moe_layers * idle * mlp_parameters(shape, shape.expert_ffn_hidden)


def mtp_parameters(shape: Transformer) -> int:
    """Parameters of the multi-token-prediction modules: a 2h x h projection and one layer each; head shared."""
    layer = moe_layer_parameters(shape) + expert_parameters(shape) if shape.experts else dense_layer_parameters(shape)
    return prediction_parameters(shape) + shape.mtp_layers * layer


def with_predictions(shape: Transformer) -> Transformer:
    """Return the shape as training runs it: its multi-token-prediction modules are the last of its layers.

    A module is a layer like the last ones behind a projection 2h x h, and passes through the shared
    head once more (DeepSeek-V3, arXiv:2412.19437, section 2.2).
    """
    return replace(shape, layers=shape.layers + shape.mtp_layers)


def without_predictions(shape: Transformer) -> Transformer:
    """Return the published shape of one that ``with_predictions`` made."""
    return replace(shape, layers=shape.layers - shape.mtp_layers, mtp_layers=0)


def prediction_parameters(shape: Transformer) -> int:
    """Parameters of the projections of the multi-token-prediction modules, 2h x h each."""
    return shape.mtp_layers * 2 * shape.hidden * shape.hidden


def prediction_flops(shape: Transformer) -> float:
    """FLOPs of one token forward in the projections and further heads of multi-token prediction; its layers apart."""
    return 2.0 * (prediction_parameters(shape) + shape.mtp_layers * head_parameters(shape))


def layer_matrix_weights(shape: Transformer) -> float:
    """Matrix weights that one token passes through in all layers, head excluded."""
    attention = sum(matrix.size for matrix in attention_matrices(shape))
    width = shape.experts_per_token * shape.expert_ffn_hidden + shape.shared_width
    moe = shape.mlp_matrices * shape.hidden * width + router_parameters(shape)
    dense = shape.mlp_matrices * shape.hidden * shape.ffn_hidden
    return shape.layers * attention + shape.dense_layers * dense + shape.moe_layers * moe


def forward_matrix_flops(shape: Transformer) -> float:
    """FLOPs of the matrix products of one token forward: layers, router and head; scores excluded."""
    return 2.0 * (layer_matrix_weights(shape) + head_parameters(shape))


def attended_keys(shape: Transformer, sequence: float) -> float:
    """Keys per query, summed over layers, in the full square of a training sequence of ``sequence`` tokens.

    A windowed layer sees ``window`` keys on either side at most: w (2 - w/s) s / s of the square.
    """
    full = shape.layers * sequence
    if not shape.sliding_window or shape.sliding_window >= sequence:
        return full
    window = shape.sliding_window
    windowed = shape.layers // 2
    return full - windowed * (sequence - window * (2.0 - window / sequence))


def forward_score_flops(shape: Transformer, sequence: float, *, causal: bool) -> float:
    """FLOPs of the attention scores of one token forward in a training sequence; causal counts half of the square."""
    square = 2.0 * shape.heads * (shape.qk_width + shape.v_width) * attended_keys(shape, sequence)
    return square / 2.0 if causal else square


def score_flops_at(shape: Transformer, keys: float) -> float:
    """FLOPs of the attention scores of one query against ``keys`` cached tokens in every layer (decoding)."""
    near = min(keys, shape.sliding_window) if shape.sliding_window else keys
    windowed = shape.layers // 2
    seen = (shape.layers - windowed) * keys + windowed * near
    return 2.0 * shape.heads * (shape.qk_width + shape.v_width) * seen


def model_flops_per_token(shape: Transformer, sequence: float, *, frozen: bool = False) -> float:
    """Model FLOPs of one trained token: 3 x (forward matrix products + causal attention scores).

    The backward pass costs twice the forward; ``frozen`` weights have no gradient, so their products count once less.
    Recomputation does not count. PaLM (arXiv:2204.02311, appendix B) counts the full square of the scores;
    Megatron-Core counts the causal half, as here.
    """
    passes = 2.0 if frozen else 3.0
    return passes * forward_matrix_flops(shape) + 3.0 * forward_score_flops(shape, sequence, causal=True)


def kv_elements_per_token(shape: Transformer) -> int:
    """Elements of the key-value cache per token, all layers: 2 x kv_heads x head_dim, or the latent of MLA."""
    if shape.latent_attention:
        return shape.layers * (shape.kv_lora_rank + shape.qk_rope_head_dim)
    return shape.layers * 2 * shape.kv_heads * shape.head_dim


def kv_bytes_per_token(shape: Transformer, bytes_per_element: float) -> float:
    """Bytes of the key-value cache per token, all layers."""
    return kv_elements_per_token(shape) * bytes_per_element
