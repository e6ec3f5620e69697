"""What rows of measured runs say about their software: every rule against a row worked out by hand."""

import pytest
from table_rows import read_one

from sweep.catalogue import Catalogue


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture
def case(tmp_path, catalogue):
    return lambda **changes: read_one(tmp_path / "runs.csv", catalogue, **changes)


@pytest.fixture
def inputs(case):
    return lambda **changes: case(**changes).variants[0]


class TestSoftware:
    def test_early_and_modern(self, inputs):
        early = inputs(date="2022-03", chip="A100-80GB")
        assert (early["attention_kernel"], early["sequence_parallel"], early["overlap_gradients"]) == ("unfused", 0, 0)
        assert (early["optimizer_sharding"], early["software_date"]) == (0, pytest.approx(2022 + 2 / 12))
        modern = inputs()
        assert (modern["attention_kernel"], modern["sequence_parallel"], modern["overlap_gradients"]) == ("fused", 1, 1)
        assert modern["optimizer_sharding"] == 1

    def test_columns_win_over_rules(self, inputs):
        run = inputs(attention_kernel="unfused", sequence_parallel="no", tensor_overlap="yes", trained="adapters")
        assert (run["attention_kernel"], run["sequence_parallel"]) == ("unfused", 0)
        assert (run["overlap_tensor"], run["trained_weights"]) == (1, "adapters")

    def test_listed_flags_are_the_only_ones(self, inputs):
        run = inputs(other_features="sequence-parallel, use-mc2, use-fused-rmsnorm")
        assert (run["attention_kernel"], run["sequence_parallel"]) == ("unfused", 1)
        assert (run["overlap_tensor"], run["overlap_gradients"]) == (1, 0)
        assert inputs(other_features="use-flash-attn, overlap-grad-reduce")["overlap_gradients"] == 1

    def test_sums_beside_products(self, inputs):
        assert inputs()["overlap_input_gradients"] == 1
        assert inputs(date="2021-12")["overlap_input_gradients"] == 0

    def test_deepspeed(self, inputs):
        run = inputs(other_features="Megatron-DeepSpeed, no gradient bucketing")
        assert (run["sequence_parallel"], run["overlap_gradients"], run["optimizer_sharding"]) == (0, 0, 0)

    def test_attention_before_its_chip_was_known(self, inputs):
        assert inputs(chip="A100-80GB", date="2023-06")["attention_efficiency"] == 0.40
        assert inputs(date="2024-06")["attention_efficiency"] == 0.35
        known = inputs()["attention_efficiency"]
        assert inputs(date="2024-07")["attention_efficiency"] == known
        assert inputs(date="2024-06", precision="FP8")["attention_efficiency"] == known
        assert inputs(date="2024-06", precision="")["attention_efficiency"] == known  # 8 bits when not stated

    def test_linear_position_biases_ran_the_first_kernels_on_hopper(self, inputs):
        """Until FlashAttention-2 takes them; they reach what an A100's instructions give: 19 % of an H100."""
        early = {"date": "2023-12", "other_features": "MPT, ALiBi"}
        plain = inputs(date="2023-12")["attention_efficiency"]
        assert plain == 0.35
        assert inputs(**early)["attention_efficiency"] == 0.19
        assert inputs(**early | {"date": "2024-01"})["attention_efficiency"] == plain
        assert inputs(**early, chip="A100-80GB")["attention_efficiency"] != 0.19
        assert inputs(**early, chip="H800")["attention_efficiency"] == 0.19
        unfused = inputs(**early, attention_kernel="unfused")["attention_efficiency"]
        assert unfused == inputs()["attention_efficiency"]

    def test_words(self, inputs):
        run = inputs(
            model="deepseek-v3",
            tp="1",
            ep="16",
            other_features="DualPipe; cuda graphs attn/moe_router; activation offload 20 layers",
        )
        assert (run["pipeline_schedule"], run["overlap_experts"], run["mixture_dispatch"]) == ("dualpipe", 1, "fused")
        assert run["captured_graphs"] == 0.5
        assert run["activation_offload"] == pytest.approx(20 / 61)

    @pytest.mark.parametrize(
        ("words", "share"), [("cuda graphs ; x", 1.0), ("cuda graphs mlp", 0.5), ("config config_2x8_cg.sh", 1.0)]
    )
    def test_captured_graphs(self, inputs, words, share):
        assert inputs(other_features=words)["captured_graphs"] == share

    def test_bytes_of_weights_on_their_way(self, inputs):
        assert inputs(precision="FP8")["weight_gather_bytes"] == 2
        assert inputs(precision="FP8", other_features="FSDP=64; fp8 param gather")["weight_gather_bytes"] == 1

    def test_what_does_not_apply_is_left_out(self, inputs):
        run = inputs(other_features="act CPU offload False")
        assert not {"activation_offload", "packed_length"} & set(run)
        assert run["mixture_dispatch"] == "fused"  # of a dense model, where it changes nothing

    def test_adapters(self, inputs):
        assert inputs(other_features="LoRA fine-tune")["trained_weights"] == "adapters"
        assert inputs(other_features="SFT (not pretraining)")["trained_weights"] == "all"


MIXTURE = {"model": "deepseek-v3", "tp": "1", "ep": "16", "measured_step_time_s": "900"}


class TestDispatches:
    def ways(self, case, **changes):
        run = case(**MIXTURE | changes)
        return [variant["mixture_dispatch"] for variant in run.variants], run.stated

    @pytest.mark.parametrize("words", ["DeepEP", "HybridEP dispatch", "DualPipe"])
    @pytest.mark.parametrize("date", ["2024-11", "2025-11"])
    def test_named_kernels(self, case, words, date):
        assert self.ways(case, other_features=words, date=date) == (["fused"], True)

    @pytest.mark.parametrize("words", ["[preset large]", "use-distributed-optimizer", "overlap-grad-reduce"])
    def test_a_recipe_that_names_none_has_none(self, case, words):
        assert self.ways(case, other_features=words, date="2025-11") == (["alltoall"], True)

    @pytest.mark.parametrize(("date", "both"), [("2025-04", False), ("2025-05", True), ("2026-01", True)])
    def test_all_or_nothing_where_nothing_is_listed_since_both_are_public(self, case, date, both):
        """April 2025 is 2025.25, before the release of Megatron-Core that has them."""
        names = ("mixture_dispatch", "captured_graphs", "overlap_experts")
        run = case(**MIXTURE | {"date": date})
        ways = {tuple(variant[name] for name in names) for variant in run.variants}
        assert ways == ({("alltoall", 0.0, 0), ("fused", 1.0, 1)} if both else {("alltoall", 0.0, 0)})
        assert run.stated == (not both)

    @pytest.mark.parametrize("chip", ["TPU-v5p", "Ascend 910B"])
    def test_other_chips_have_no_such_kernels(self, case, chip):
        run = case(**MIXTURE | {"date": "2026-01", "chip": chip, "precision": "BF16", "measured_step_time_s": "9000"})
        assert {variant["mixture_dispatch"] for variant in run.variants} == {"alltoall"}

    def test_graphs_are_what_a_row_says_where_it_says_so(self, case):
        run = case(**MIXTURE | {"date": "2025-11", "other_features": "cuda graphs attn/moe_router"})
        assert {variant["captured_graphs"] for variant in run.variants} == {0.5}

    def test_experts_on_one_rank_are_sent_nowhere(self, case):
        assert self.ways(case, ep="1", date="2025-11") == (["alltoall"], True)

    def test_a_dense_model_has_one_way(self, case):
        run = case(date="2025-11")
        assert [variant["mixture_dispatch"] for variant in run.variants] == ["fused"]
        assert run.stated

    def test_both_ways_with_other_ranges_stay_few(self, case):
        """Every way occurs with every mapping that is kept."""
        changes = {"ep": "", "vpp": "", "micro_batch": "", "recompute": "", "seq_len": "2048", "date": "2025-11"}
        run = case(**MIXTURE | changes | {"precision": "", "chip": "B200", "measured_step_time_s": "400"})
        assert 4 < len(run.variants) <= 24
        open_names, kept = ("mixture_dispatch", "precision", "captured_graphs", "overlap_experts"), {}
        for variant in run.variants:
            layout = {name: value for name, value in variant.items() if name not in open_names}
            kept.setdefault(repr(layout), set()).add(tuple(variant[name] for name in open_names))
        assert set(map(len, kept.values())) == {4}


class TestPrecision:
    @pytest.mark.parametrize(
        ("text", "chip", "date", "formats"),
        [
            ("FP16 mixed", "A100-80GB", "2022-01", {"bf16"}),
            ("Autocast:BF16+FP32Optimizer", "H100-SXM", "2024-01", {"bf16"}),
            ("NVFP4 (+FP8/BF16 layers)", "GB200", "2025-11", {"fp4"}),
            ("INT8 (AQT) + BF16", "TPU-v5p", "2024-06", {"int8"}),
            ("FP8/INT8", "TPU-v6e", "2025", {"int8"}),
            ("MXFP8", "B200", "2025-11", {"fp8"}),
            ("", "A100-80GB", "2024-01", {"bf16"}),
            ("", "H100-SXM", "2024-06", {"fp8"}),
            ("", "B200", "2025-06", {"fp8"}),
            ("", "B200", "2025-11", {"fp8", "fp4"}),
        ],
    )
    def test_words_and_rules(self, case, text, chip, date, formats):
        run = case(precision=text, chip=chip, date=date, measured_step_time_s="60")
        assert {variant["precision"] for variant in run.variants} == formats
        assert run.stated == (len(formats) == 1)

    def test_script_that_says_four_bits(self, case):
        run = case(precision="", chip="B200", date="2025-11", other_features="config config_1x8_fp4.sh")
        assert run.precision == "fp4"
