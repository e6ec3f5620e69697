"""Rows of measured runs as cases: every rule against a row worked out by hand."""

import pytest
from table_rows import read_one, read_rows

from models.transformer import forward_matrix_flops, forward_score_flops
from sweep.accuracy.rows import LeftOut, read_cases, state, summary, training_table
from sweep.catalogue import Catalogue


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture
def read(tmp_path, catalogue):
    return lambda *changes: read_rows(tmp_path / "runs.csv", catalogue, *changes)


@pytest.fixture
def case(tmp_path, catalogue):
    return lambda **changes: read_one(tmp_path / "runs.csv", catalogue, **changes)


@pytest.fixture
def inputs(case):
    def first(**changes):
        return case(**changes).variants[0]

    return first


@pytest.fixture
def reason(read):
    def why(**changes):
        cases, left_out = read(changes)
        assert not cases
        return left_out[0].reason

    return why


@pytest.fixture(scope="module")
def published(catalogue):
    return read_cases(training_table(), catalogue)


class TestPublished:
    def test_nine_tenths_are_cases(self, published):
        cases, left_out = published
        assert len(cases) + len(left_out) == 2195
        assert len(cases) >= 0.9 * 2195

    def test_names_are_unique_and_every_reason_is_a_sentence(self, published):
        cases, left_out = published
        assert len({case.name for case in cases} | {row.name for row in left_out}) == 2195
        assert all(row.reason for row in left_out)

    def test_few_variants(self, published):
        cases, _ = published
        assert all(1 <= len(case.variants) <= 24 for case in cases)
        assert all(len(case.variants) == 1 for case in cases if case.stated)

    def test_impossible_rows_are_found(self, published):
        _, left_out = published
        found = {row.name for row in left_out if "times the peak" in row.reason}
        assert found == {"bloom-prequel-0013", "bloom-prequel-0014", "bloom-prequel-0015", "mindspeed-0019"}

    def test_siblings_are_one_family(self, published):
        families = {case.source: case.family for case in published[0]}
        assert families["bloom"] == families["bloom-prequel"] == "bloom"
        assert families["vtrain-multi"] == families["vtrain-single"] == "vtrain"
        assert families["bridge"] == families["mcore-r0.8"] == families["nemo-longseq"] == "nvidia"
        assert families["narayanan21"] == families["korthikanti22"] == "megatron-lm"
        assert families["llmfoundry"] == "llmfoundry"

    def test_profiles_are_microbenchmarks(self, published):
        found = {case.source for case in published[0] if case.microbenchmark}
        assert found == {"vtrain-single"}

    def test_configuration_repeats_only_with_its_knobs(self, published):
        by_name = {case.name: case for case in published[0]}
        first, again, other = (by_name[f"mlperf-0{number}"] for number in ("006", "042", "005"))
        assert first.configuration[:3] == again.configuration[:3]
        assert first.configuration != other.configuration

    def test_summary(self):
        lines = list(summary([], [LeftOut("a-1", "because"), LeftOut("a-2", "because")]))
        assert lines == ["     2  because"]


class TestMapping:
    def test_stated(self, case):
        run = case()
        assert (run.stated, run.searched, state(run), run.seconds) == (True, False, "stated", 500.0)
        variant = run.variants[0]
        assert variant["data_parallel"] == 4  # 64 / (4 x 4)
        assert variant["domains"] == 8
        assert variant["hbm_capacity"] > 1e14  # it did run

    def test_ranks_must_fit_the_batch(self, reason):
        assert reason(global_batch_sequences="3") == "ranks, batch and micro-batch do not agree"

    def test_unstated_recompute_is_a_range(self, case):
        run = case(recompute="")
        assert [variant["recompute"] for variant in run.variants] == ["none", "full"]
        assert (state(run), run.variants[0]["hbm_capacity"] < 1e12) == ("range", True)

    def test_unfused_attention_makes_selective_matter(self, case):
        run = case(recompute="", attention_kernel="unfused")
        assert [variant["recompute"] for variant in run.variants] == ["none", "selective", "full"]

    def test_unstated_micro_batch_divides_the_batch_of_a_replica(self, case):
        run = case(micro_batch="", global_batch_sequences="24")  # 6 sequences per replica
        assert [variant["micro_batch"] for variant in run.variants] == [1, 2]

    def test_unstated_chunks(self, case):
        assert case(vpp="").variants[0]["virtual_pipeline"] == 1
        run = case(vpp="", other_features="interleaved 1F1B")
        assert [variant["virtual_pipeline"] for variant in run.variants] == [1, 2, 4]  # of 20 layers per stage

    def test_long_ranges_are_thinned(self, case):
        run = case(vpp="", micro_batch="", recompute="", seq_len="2048", precision="", date="2025-11", chip="B200")
        assert 2 < len(run.variants) <= 24
        assert {variant["precision"] for variant in run.variants} == {"fp8", "fp4"}

    def test_no_mapping_is_searched(self, case):
        run = case(tp="", pp="", cp="", vpp="", micro_batch="", recompute="")
        assert (state(run), len(run.variants)) == ("searched", 1)
        assert "tensor_parallel" not in run.variants[0]

    def test_search_keeps_what_is_known(self, inputs):
        blank = {"tp": "", "pp": "", "cp": "", "vpp": "", "micro_batch": ""}
        known = inputs(**blank, other_features="TP+DP (ZeRO-1)")
        assert (known["pipeline_parallel"], known["context_parallel"]) == (1, 1)
        assert "tensor_parallel" not in known

    def test_fully_sharded_is_a_replica_per_rank(self, case):
        blank = {"tp": "", "pp": "", "cp": "", "vpp": "", "micro_batch": ""}
        run = case(**blank, chip="TPU-v6e", scale_up_domain="256", **{"zero_stage/dist_optimizer": "FSDP (MaxText)"})
        assert not run.searched
        variant = run.variants[0]
        assert (variant["data_parallel"], variant["micro_batch"], variant["optimizer_sharding"]) == (64, 2, 3)

    def test_fewer_sequences_than_ranks_cannot_be_fully_sharded(self, case):
        blank = {"tp": "", "pp": "", "cp": "", "vpp": "", "micro_batch": "", "global_batch_sequences": "32"}
        run = case(**blank, **{"zero_stage/dist_optimizer": "FSDP"})
        assert run.searched
        assert run.variants[0]["pipeline_parallel"] == 1

    def test_a_twin_lends_its_mapping(self, read):
        blank = {"tp": "", "pp": "", "cp": "", "vpp": "", "micro_batch": "", "recompute": ""}
        cases, _ = read({}, blank, blank | {"global_batch_sequences": "256"}, blank | {"cp": "2"})
        assert [state(run) for run in cases] == ["stated", "range", "searched", "searched"]
        assert cases[1].variants[0]["pipeline_parallel"] == 4

    def test_a_twin_lends_its_overlap_with_its_mapping(self, read):
        blank = {"tp": "", "pp": "", "cp": "", "vpp": "", "micro_batch": ""}
        script = {"other_features": "TP comm overlap"}
        other = script | {"tp": "8", "pp": "2", "vpp": "2"}
        cases, _ = read(script, {"recompute": ""}, blank, script | {"date": "2024-12"}, other)
        found = [{(run["tensor_parallel"], run["overlap_tensor"]) for run in case.variants} for case in cases[1:3]]
        assert found == [{(4, 0)}, {(4, 1), (8, 1)}]  # a row with a mapping of its own keeps its own words
        *_, run = read(script, {}, blank)[0]
        assert {variant["overlap_tensor"] for variant in run.variants} == {0, 1}  # twins that differ
        own = blank | {"other_features": "TP comm overlap"}
        *_, run = read({}, own)[0]
        assert run.searched  # a twin that says otherwise is none

    def test_a_twin_lends_its_recomputation(self, read):
        blank = {"recompute": ""}
        cases, _ = read({"recompute": "full"}, blank, blank | {"precision": "FP8"}, blank | {"tp": "8"})
        assert [[variant["recompute"] for variant in run.variants] for run in cases] == [
            ["full"],
            ["full"],
            ["none", "full"],  # another number format
            ["none", "full"],  # another mapping
        ]
        assert [state(run) for run in cases] == ["stated", "range", "range", "range"]

    def test_what_a_torus_states_is_the_batch_of_a_chip(self, inputs):
        """Frameworks for TPUs do not accumulate: a replica takes its part of the batch at once."""
        torus = {"chip": "TPU-v5p", "scale_up_domain": "64", "pp": "1", "vpp": "1", "micro_batch": "2"}
        run = inputs(**torus)  # 128 sequences over 16 replicas of 4 chips
        assert (run["data_parallel"], run["micro_batch"]) == (16, 8)
        assert inputs(**torus | {"global_batch_sequences": "120"})["micro_batch"] == 8  # the fullest replica
        assert inputs(**torus | {"chip": "H100-SXM", "scale_up_domain": "8"})["micro_batch"] == 2
        assert inputs(**torus | {"pp": "4", "tp": "1"})["micro_batch"] == 2  # a pipeline does accumulate

    def test_so_it_is_for_its_framework_on_other_chips(self, inputs):
        alone = {"pp": "1", "vpp": "1", "micro_batch": "2"}
        assert inputs(**alone, other_features="MaxText")["micro_batch"] == 8
        assert inputs(**alone, **{"zero_stage/dist_optimizer": "FSDP (MaxText)"})["micro_batch"] == 8

    def test_early_full_sharding_gathers_tensors(self, inputs):
        """DeepSpeed's ZeRO-3 before it joined them into buckets; FSDP always gathers layers."""
        early = {"date": "2021-04", "chip": "A100-80GB", "tp": "1", "pp": "1", "vpp": "1"}
        column = "zero_stage/dist_optimizer"
        assert inputs(**early, **{column: "ZeRO-3"})["sharded_gathers"] == "tensor"
        assert inputs(**early, other_features="DeepSpeed ZeRO-3")["sharded_gathers"] == "tensor"
        assert "sharded_gathers" not in inputs(**early | {"date": "2023-01", column: "ZeRO-3"})
        assert "sharded_gathers" not in inputs(**early, **{column: "FSDP (ZeRO-3)"})
        assert "sharded_gathers" not in inputs(**early, **{column: "ZeRO-1"})
        assert "sharded_gathers" not in inputs(**early)

    def test_sharding_group(self, inputs):
        alone = {"tp": "1", "pp": "1", "zero_stage/dist_optimizer": "FSDP"}
        assert inputs(**alone, other_features="FSDP=16")["sharding_group"] == 16
        assert inputs(**alone)["sharding_group"] == 0
        slices = {"chip": "TPU-v5e", "n_chips": "512", "scale_up_domain": "256", "global_batch_sequences": "512"}
        many = inputs(**alone | slices, other_features="2 slice(s), DCN data parallel across slices")
        assert (many["sharding_group"], many["domains"]) == (256, 2)


class TestMachine:
    def test_racks_are_filled_evenly(self, inputs):
        rack = {"chip": "GB200", "scale_up_domain": "72"}
        assert inputs(**rack, n_chips="256", global_batch_sequences="256")["scale_up_size"] == 64
        assert inputs(**rack, n_chips="144", tp="2", pp="4", global_batch_sequences="36")["scale_up_size"] == 72
        assert inputs(**rack, n_chips="16")["scale_up_size"] == 16

    def test_a_host_is_not_the_reach_of_a_torus(self, inputs):
        run = inputs(chip="TPU-v5p", n_chips="512", scale_up_domain="4", pp="1", vpp="1")
        assert run["scale_up_size"] == 512

    def test_neuron_cores_are_ranks(self, inputs):
        run = inputs(chip="Trainium1", n_chips="32", scale_up_domain="16", tp="32", pp="1", vpp="1")
        assert (run["devices_per_chip"], run["data_parallel"]) == (2, 2)
        assert run["attention_kernel"] == "unfused"

    def test_network_of_the_node(self, inputs):
        assert inputs(node_network_GBps="50")["scale_out_bandwidth"] == pytest.approx(6.25e9)

    def test_links_of_a_cut_chip(self, inputs):
        assert inputs(chip="A800-80GB")["scale_up_bandwidth"] == 200e9

    def test_names_of_the_catalogue_are_understood(self, case):
        assert case(chip="dgx-h100").system == "dgx-h100"
        assert case(chip="gaudi2").system == "gaudi2-node"

    def test_unknown_chip(self, reason):
        assert reason(chip="H100-SXN") == "chip H100-SXN is not in the catalogue; did you mean h100-sxm?"


class TestMeasured:
    def forward(self, catalogue, *, causal):
        shape = catalogue.entry("workloads", "llama-3-70b").shape
        return forward_matrix_flops(shape) + forward_score_flops(shape, 8192, causal=causal)

    def test_tokens_per_second(self, case):
        run = case(measured_step_time_s="", measured_tokens_per_s_per_chip="1000")
        assert run.seconds == pytest.approx(128 * 8192 / 64000)

    @pytest.mark.parametrize(
        ("convention", "date", "recompute", "passes", "causal"),
        [
            ("6N + causal attention", "2025-03", "none", 3, True),
            ("non-causal attention", "2025-11", "none", 3, False),
            ("model FLOPs", "2025-03", "full", 3, False),
            ("model FLOPs", "2025-08", "none", 3, True),
            ("HARDWARE FLOPs (4x2 coefficient, recompute counted)", "2025-03", "full", 4, False),
            ("HARDWARE FLOPs", "2025-03", "none", 3, False),
        ],
    )
    def test_conventions(self, case, catalogue, convention, date, recompute, passes, causal):
        row = {"measured_step_time_s": "", "measured_tflops_per_chip": "400", "mfu_convention": convention}
        run = case(**row, date=date, recompute=recompute)
        expected = passes * self.forward(catalogue, causal=causal) * 128 * 8192 / (400e12 * 64)
        assert run.seconds == pytest.approx(expected)

    def test_utilisation_is_of_the_wide_peak(self, case, catalogue):
        run = case(measured_step_time_s="", measured_mfu="0.4", mfu_convention="non-causal", precision="FP8")
        expected = 3 * self.forward(catalogue, causal=False) * 128 * 8192 / (0.4 * 989e12 * 64)
        assert run.seconds == pytest.approx(expected)

    def test_formula_of_narayanan(self, case):
        row = {"n_layers": "24", "hidden": "2304", "vocab": "51200", "n_chips": "32", "global_batch_sequences": "512"}
        run = case(
            **row,
            model="gpt-narayanan-1.7b",
            chip="A100-80GB",
            date="2021-04",
            seq_len="2048",
            tp="1",
            pp="1",
            vpp="",
            recompute="full",
            measured_step_time_s="",
            measured_tflops_per_chip="137",
            mfu_convention="HARDWARE FLOPs: 96*B*s*l*h^2",
        )
        assert run.seconds == pytest.approx(3.53, abs=0.005)  # printed beside the row, derived there by hand

    def test_nothing_measured(self, reason):
        assert reason(measured_step_time_s="") == "neither step time nor rate stated"

    def test_unclear_rate(self, reason):
        row = {"measured_step_time_s": "", "measured_tflops_per_chip": "100"}
        text = reason(**row, mfu_convention="recompute convention not stated")
        assert text == "not stated whether the printed rate counts recomputation"

    def test_impossible(self, reason):
        assert reason(measured_step_time_s="1").endswith("times the peak of the chip")

    def test_unstated_batch_without_pipeline(self, case):
        row = {"global_batch_sequences": "", "pp": "1", "vpp": "1", "dp": "16", "measured_step_time_s": ""}
        run = case(**row, micro_batch="2", measured_tokens_per_s_per_chip="800")
        assert run.variants[0]["global_batch"] == 32

    def test_unstated_batch(self, reason):
        assert reason(global_batch_sequences="") == "batch not stated"


class TestShape:
    def test_row_wins_over_the_catalogue(self, inputs):
        shape = inputs(n_layers="40", hidden="4096")["shape"]
        assert (shape.layers, shape.hidden, shape.heads, shape.head_dim) == (40, 4096, 64, 64)
        assert shape.gated_mlp

    def test_unknown_models_from_their_columns(self, inputs):
        row = {"n_layers": "32", "hidden": "4096", "n_heads": "32", "vocab": "32000"}
        dense = inputs(**row, model="my-gpt", ffn_hidden="16384")["shape"]
        assert (dense.gated_mlp, dense.tied_embeddings, dense.kv_heads) == (False, True, 32)
        mixture = row | {"moe_experts": "64", "moe_topk": "6", "moe_ffn_hidden": "1408", "n_kv_heads": "8"}
        shape = inputs(**mixture, model="my-moe", ep="8")["shape"]
        assert (shape.experts, shape.experts_per_token, shape.gated_mlp, shape.kv_heads) == (64, 6, True, 8)

    def test_multi_token_prediction_can_be_off(self, inputs):
        row = {"model": "deepseek-v3", "tp": "1", "ep": "16"}
        assert inputs(**row)["shape"].mtp_layers == 1
        assert inputs(**row, other_features="w/o MTP")["shape"].mtp_layers == 0

    @pytest.mark.parametrize("model", ["nemotron3-nano-30b-a3b", "qwen3-next-80b-a3b", "deepseek-v4-flash"])
    def test_other_layers(self, reason, model):
        assert reason(model=model).startswith("layers that are no transformer layers")

    def test_nobody_knows_the_shape(self, reason):
        assert reason(model="secret-1").startswith("shape of the model is not in the catalogue")
