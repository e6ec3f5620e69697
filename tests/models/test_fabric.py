"""Bill of materials against published counts, the fat tree against Al-Fares et al., and laws of scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fabric import fabric_stage, fat_tree, fat_tree_reach
from models.inputs import ModelInputError

GB = 1e9
SCALE_OUT: dict[str, Any] = {
    "scale_out_bandwidth": 50 * GB,
    "scale_out_link_rate": 50 * GB,
    "scale_out_switch_radix": 64,
    "oversubscription": 1.0,
    "domains": 1,
}
COPPER: dict[str, Any] = {"scale_up_port_rate_per_module": 0.0, "scale_up_cables_per_port": 0.0}
# Zuo et al. 2025, arXiv:2506.12708: 48 nodes of 8 chips, 7 planes, 14 ports of 28 GB/s per chip; 400 Gbit/s modules.
CLOUDMATRIX = SCALE_OUT | {
    "scale_up_size": 384,
    "chips_per_node": 8,
    "scale_up_topology": "two_tier_ub",
    "scale_up_bandwidth": 392 * GB,
    "scale_up_link_rate": 28 * GB,
    "scale_up_planes": 7,
    "scale_up_switch_ports": 32,
    "scale_up_spine_ports": 48,
    "scale_up_port_rate_per_module": 56 * GB,
    "scale_up_cables_per_port": 1.0,
}
NVL72 = SCALE_OUT | {
    "scale_up_size": 72,
    "chips_per_node": 4,
    "scale_up_topology": "single_tier",
    "scale_up_bandwidth": 900 * GB,
    "scale_up_link_rate": 50 * GB,
    "scale_up_planes": 18,
    "scale_up_switch_ports": 72,
    "scale_up_port_rate_per_module": 0.0,
    "scale_up_cables_per_port": 4.0,
}
DGX_H100 = (
    SCALE_OUT
    | COPPER
    | {
        "scale_up_size": 8,
        "chips_per_node": 8,
        "scale_up_topology": "single_tier",
        "scale_up_bandwidth": 450 * GB,
        "scale_up_link_rate": 25 * GB,
        "scale_up_planes": 4,
        "scale_up_switch_ports": 64,
    }
)
TPU_V5E = (
    SCALE_OUT
    | COPPER
    | {
        "scale_up_size": 256,
        "chips_per_node": 8,
        "scale_up_topology": "torus",
        "scale_up_links": 4,
        "scale_up_bandwidth": 200 * GB,
    }
)


def test_cloudmatrix_384_has_the_published_switch_chips_and_modules() -> None:
    """336 + 112 switch chips (arXiv:2506.12708); 5,376 + 1,536 = 6,912 modules of 400G (SemiAnalysis, 2025-04-16)."""
    fabric = fabric_stage(CLOUDMATRIX)
    assert fabric["scale_up_switch_chips"] == 336
    assert fabric["scale_up_spine_chips"] == 112
    assert fabric["scale_up_transceivers"] == 5376
    assert fabric["scale_out_transceivers"] == 1536
    assert fabric["scale_up_cables"] == 2688
    assert fabric["nics"] == fabric["chips"] == 384
    assert fabric["scale_out_layers"] == 2
    assert fabric["scale_up_switch_chips"].dtype == np.int64


def test_nvl72_has_18_switch_chips_and_5184_copper_cables() -> None:
    fabric = fabric_stage(NVL72)
    assert fabric["scale_up_switch_chips"] == 18
    assert fabric["scale_up_spine_chips"] == 0
    assert fabric["scale_up_cables"] == 5184
    assert fabric["scale_up_transceivers"] == 0


def test_dgx_h100_has_4_switch_chips_and_no_cables() -> None:
    fabric = fabric_stage(DGX_H100)
    assert fabric["scale_up_switch_chips"] == 4
    assert fabric["scale_up_cables"] == 0
    assert fabric["nics"] == 8


def test_torus_bisection_is_that_of_a_tpu_v5e_pod() -> None:
    """16 x 16 torus of 50 GB/s links: 1.6 TB/s (Google Cloud, TPU v5e documentation)."""
    fabric = fabric_stage(TPU_V5E)
    assert fabric["bisection_bandwidth"] == pytest.approx(1.6e12, rel=1e-12)
    assert fabric["scale_up_switch_chips"] == 0


def test_dgx_gh200_bisection_is_57_6_tb_per_second() -> None:
    """256 chips at 450 GB/s without blocking (Nvidia DGX GH200 data sheet)."""
    gh200 = CLOUDMATRIX | {"scale_up_size": 256, "scale_up_bandwidth": 450 * GB}
    assert fabric_stage(gh200)["bisection_bandwidth"] == pytest.approx(57.6e12, rel=1e-12)


def test_mesh_of_eight_joins_every_pair_across_the_cut() -> None:
    mesh = TPU_V5E | {"scale_up_topology": "mesh", "scale_up_size": 8, "scale_up_links": 7, "scale_up_bandwidth": 448e9}
    assert fabric_stage(mesh)["bisection_bandwidth"] == pytest.approx(16 * 64e9, rel=1e-12)


@pytest.mark.parametrize(("radix", "layers", "hosts"), [(128, 2, 8192), (512, 2, 131_072), (64, 3, 65_536)])
def test_fat_tree_reach_matches_published_numbers(radix: int, layers: int, hosts: int) -> None:
    """2 (k/2)^L; the first two are printed by SemiAnalysis on 800G and co-packaged switches."""
    assert fat_tree_reach(np.asarray(float(radix)), layers) == hosts == 2 * (radix // 2) ** layers


@pytest.mark.parametrize("radix", [4, 16, 48, 64])
def test_full_three_layer_fat_tree_has_five_quarters_k_squared_switches(radix: int) -> None:
    """Al-Fares et al. 2008: k^3/4 hosts on 5 k^2/4 switches, full bisection."""
    ones = np.ones(())
    tree = fat_tree(np.asarray(radix**3 / 4), radix * ones, ones)
    assert tree["layers"] == 3
    assert tree["switches"] == 5 * radix**2 / 4
    assert tree["links"] == 3 * radix**3 / 4


def test_oversubscription_saves_uplinks_and_lowers_the_bisection() -> None:
    both = fabric_stage(CLOUDMATRIX | {"domains": 8, "oversubscription": np.asarray([1.0, 3.0])})
    assert both["bisection_bandwidth"][1] == pytest.approx(both["bisection_bandwidth"][0] / 3)
    assert (both["scale_out_layers"] == [3, 2]).all()  # 48 ports down per leaf reach 48 x 64 = 3,072 in two layers
    assert (both["scale_out_cables"] == [3 * 3072, 3072 + 1024]).all()
    assert both["scale_out_switches"][1] < both["scale_out_switches"][0]


def test_one_leaf_has_no_uplinks_to_oversubscribe() -> None:
    one_leaf = fabric_stage(DGX_H100 | {"domains": 8, "oversubscription": 4.0})
    assert one_leaf["scale_out_switches"] == 1
    assert one_leaf["scale_out_cables"] == 64
    assert one_leaf["bisection_bandwidth"] == 32 * 50 * GB


def test_no_scale_out_bandwidth_is_no_scale_out_fabric() -> None:
    alone = fabric_stage(NVL72 | {"scale_out_bandwidth": 0.0})
    assert alone["nics"] == alone["scale_out_switches"] == alone["scale_out_transceivers"] == 0


def test_unknown_facts_make_unknown_counts_and_nothing_else() -> None:
    known = {name: value for name, value in NVL72.items() if name != "scale_up_switch_ports"}
    fabric = fabric_stage(known)
    assert np.isnan(fabric["scale_up_switch_chips"])
    assert fabric["scale_up_cables"] == 5184
    assert fabric["scale_out_transceivers"] == 288


def test_a_domain_larger_than_its_switch_chip_cannot_be_one_tier() -> None:
    assert np.isnan(fabric_stage(NVL72 | {"scale_up_size": 144})["scale_up_switch_chips"])


def test_unknown_topology_is_refused_by_name() -> None:
    with pytest.raises(ModelInputError, match="hypercube"):
        fabric_stage(NVL72 | {"scale_up_topology": "hypercube"})


@given(st.sampled_from([CLOUDMATRIX, NVL72, DGX_H100]), st.integers(1, 8))
def test_whole_multiples_of_the_bandwidth_multiply_ports_and_modules(system: dict[str, Any], times: int) -> None:
    base = fabric_stage(system)
    wide = fabric_stage(system | {"scale_up_bandwidth": system["scale_up_bandwidth"] * times})
    for name in ("scale_up_transceivers", "scale_up_cables"):
        assert wide[name] == times * base[name]
    assert wide["bisection_bandwidth"] == pytest.approx(times * base["bisection_bandwidth"])


@given(st.integers(1, 100_000), st.sampled_from([16.0, 48.0, 64.0, 144.0]), st.floats(1, 8))
def test_a_fat_tree_has_the_ports_its_links_need(hosts: int, radix: float, oversubscription: float) -> None:
    tree = fat_tree(np.asarray(float(hosts)), np.asarray(radix), np.asarray(oversubscription))
    ends_at_switches = 2 * tree["links"] - hosts
    assert tree["switches"] * radix >= ends_at_switches
    assert tree["transceivers"] == 2 * tree["links"]


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=5))
def test_arrays_give_what_scalars_give(domains: list[int]) -> None:
    together = fabric_stage(CLOUDMATRIX | {"domains": np.asarray(domains)})
    for index, one in enumerate(domains):
        alone = fabric_stage(CLOUDMATRIX | {"domains": one})
        for name, value in alone.items():
            assert np.broadcast_to(together[name], len(domains))[index] == value, name


def test_more_domains_never_need_fewer_parts() -> None:
    fabric = fabric_stage(NVL72 | {"domains": np.arange(1, 2000)})
    for name in ("nics", "scale_out_cables", "scale_out_transceivers", "scale_up_switch_chips"):
        assert (np.diff(fabric[name]) > 0).all(), name
