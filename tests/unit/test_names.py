"""Names and selectors of nodes that others are called like.

The integration tests show what dbt makes of them.
"""

from typing import Any

from runner.project.names import exact_selectors, unique_names


def manifest(*places: str, versions: dict[str, int] | None = None) -> dict[str, Any]:
    """Models by their places: package, folders, name."""
    nodes = {}
    for place in places:
        fqn = place.split("/")
        version = (versions or {}).get(place)
        ending = [] if version is None else [f"v{version}"]
        unique_id = ".".join(["model", fqn[0], fqn[-1], *ending])
        nodes[unique_id] = {
            "resource_type": "model",
            "package_name": fqn[0],
            "name": fqn[-1],
            "fqn": fqn + ending,
            "version": version,
        }
    return {"metadata": {"project_name": "shop"}, "nodes": nodes}


def test_a_name_that_is_enough_stays():
    found = manifest("shop/marts/orders", "crm/base/people")
    assert set(unique_names(found).values()) == {"orders", "people"}
    assert exact_selectors(found) == {}


def test_the_projects_own_model_keeps_the_name_that_a_package_has_too():
    found = manifest("shop/orders", "crm/orders", "erp/orders")
    assert list(unique_names(found).values()) == ["orders", "crm.orders", "erp.orders"]


def test_a_version_is_named_with_it_and_found_by_that():
    found = manifest("shop/marts/sales", versions={"shop/marts/sales": 2})
    assert list(unique_names(found).values()) == ["sales.v2"]
    assert exact_selectors(found) == {}


def test_versions_of_two_packages_are_found_by_their_places():
    places = ("shop/marts/sales", "crm/marts/sales")
    found = exact_selectors(manifest(*places, versions=dict.fromkeys(places, 1)))
    assert set(found.values()) == {"fqn:shop.marts.sales.[v]1", "fqn:crm.marts.sales.[v]1"}


def test_a_model_called_like_a_folder_beside_it_is_found_by_a_pattern():
    found = exact_selectors(manifest("shop/orders", "shop/orders/lines"))
    assert found == {"model.shop.orders": "fqn:shop.[o]rders"}


def test_a_model_called_like_a_package_is_found_by_its_place():
    found = exact_selectors(manifest("shop/marts/crm", "crm/people"))
    assert found == {"model.shop.crm": "fqn:shop.marts.[c]rm"}


def test_a_folder_called_like_a_package_takes_more_words():
    found = exact_selectors(manifest("shop/crm/people", "crm/people"))
    assert found["model.crm.people"] == "package:crm,resource_type:model,fqn:crm.[p]eople"
    assert found["model.shop.people"] == "fqn:shop.crm.[p]eople"


def test_a_test_called_like_a_model_is_told_from_it():
    found = manifest("shop/marts/orders")
    test = {"resource_type": "test", "package_name": "shop", "name": "orders"}
    found["nodes"]["test.shop.orders"] = {**test, "fqn": ["shop", "orders"]}
    assert exact_selectors(found) == {
        "model.shop.orders": "fqn:shop.marts.[o]rders",
        "test.shop.orders": "fqn:shop.[o]rders",
    }
