"""A hash tree proves each leaf at its own place, and nothing else."""

from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.hash_tree import Tree, WrongShape, leaf, node, root, root_from

sizes = st.integers(1, 70)


def leaves(count: int, salt: bytes = b"") -> list[bytes]:
    return [leaf("OPINION", UUID(int=place), sha256(salt + bytes([place])).digest()) for place in range(count)]


@given(sizes)
def test_each_leaf_leads_to_the_root(count: int) -> None:
    made = leaves(count)
    tree = Tree(made)
    assert all(root_from(one, place, count, tree.path(place)) == tree.root for place, one in enumerate(made))


def naive(nodes: list[bytes]) -> bytes:
    """RFC 6962: split at the largest power of two below the number."""
    if len(nodes) == 1:
        return nodes[0]
    split = 1 << (len(nodes) - 1).bit_length() - 1
    return node(naive(nodes[:split]), naive(nodes[split:]))


@given(sizes)
def test_the_shape_is_that_of_rfc_6962(count: int) -> None:
    made = leaves(count)
    assert Tree(made).root == root(naive(made), count)


@given(sizes, st.data())
def test_a_path_proves_no_other_leaf_and_no_other_place(count: int, data: st.DataObject) -> None:
    made = leaves(count)
    tree = Tree(made)
    place = data.draw(st.integers(0, count - 1))
    other = data.draw(st.integers(0, count - 1))
    stranger = leaves(count, b"another batch")[place]
    assert _leads_elsewhere(stranger, place, count, tree.path(place), tree.root)
    if other != place:
        assert _leads_elsewhere(made[other], place, count, tree.path(place), tree.root)
        assert _leads_elsewhere(made[place], other, count, tree.path(place), tree.root)


@given(sizes, st.integers(1, 80), st.data())
def test_the_number_of_leaves_is_bound_into_the_root(count: int, claimed: int, data: st.DataObject) -> None:
    made = leaves(count)
    tree = Tree(made)
    place = data.draw(st.integers(0, count - 1))
    if claimed != count:
        assert _leads_elsewhere(made[place], place, claimed, tree.path(place), tree.root)


def _leads_elsewhere(one: bytes, place: int, count: int, path: tuple[bytes, ...], wanted: bytes) -> bool:
    try:
        return root_from(one, place, count, path) != wanted
    except WrongShape:
        return True


def test_a_node_is_never_taken_for_a_leaf() -> None:
    made = leaves(4)
    tree, upper = Tree(made), Tree([node(*made[:2]), node(*made[2:])])
    assert tree.root != upper.root
    assert _leads_elsewhere(node(*made[:2]), 0, 2, tree.path(0)[1:], tree.root)


def test_one_leaf_is_not_its_own_root() -> None:
    [one] = leaves(1)
    assert Tree([one]).root not in (one, sha256(one).digest())
    assert Tree([one]).path(0) == ()


def test_no_leaves_make_no_tree() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Tree([])


@pytest.mark.parametrize("path", [(b"",), (b"\x00" * 31,), (b"\x00" * 33,), (b"\x00" * 32,) * 2, ()])
def test_a_path_of_another_shape_is_refused(path: tuple[bytes, ...]) -> None:
    with pytest.raises(WrongShape):
        root_from(leaves(1)[0], 0, 2, path)


@pytest.mark.parametrize(("place", "count"), [(-1, 2), (2, 2), (0, 0), (0, 2**40)])
def test_a_place_outside_the_tree_is_refused(place: int, count: int) -> None:
    with pytest.raises(WrongShape):
        root_from(leaves(1)[0], place, count, ())
