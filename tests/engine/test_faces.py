"""A package exports what other rooms use, and nothing that only tests use."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    path.parent
    for top in ("engine", "app")
    for path in (ROOT / top).rglob("__init__.py")
    if path.parent != ROOT / "engine"  # whose verbs are for notebooks
)
# Names that no other room takes, each with its reason.
FOR_OTHERS = {
    "engine.delivery.run_calibration": "how far a finished run can be trusted, for a notebook (docs/trust.md)",
    "engine.evaluation.auroc": "measures of a student beside accuracy, for who has its probabilities in a notebook",
    "engine.evaluation.balanced_accuracy": "as auroc",
    "engine.evaluation.calibration_error": "as auroc",
    "engine.methods.Material": "a method that lies elsewhere is written with it",
    "engine.methods.register": "and is added by it",
}


def dotted(folder):
    return ".".join(folder.relative_to(ROOT).parts)


def exported(folder):
    """The names in `__all__` of a package, or those that its `__init__` defines and does not use itself."""
    tree, found = ast.parse((folder / "__init__.py").read_text()), set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if target == "__all__":
                return set(ast.literal_eval(node.value))
            found.add(target)
    found -= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return {name for name in found if not name.startswith("_")}


def uses(path):
    """(package, name) for each name that a module takes from a package: imported, or as `package.name`."""
    tree, packages = ast.parse(path.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name
                packages[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            packages |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (package := packages.get(ast.unparse(node.value))):
            yield package, node.attr


@pytest.fixture(scope="module")
def taken():
    """Which modules take each name of a package, by (package, name); those inside the package do not count."""
    found = {}
    for top in ("engine", "app"):
        for path in (ROOT / top).rglob("*.py"):
            for package, name in uses(path):
                if not dotted(path.parent).startswith(package):
                    found.setdefault((package, name), set()).add(path)
    return found


@pytest.mark.parametrize("folder", PACKAGES, ids=dotted)
def test_every_export_is_used_by_another_room(folder, taken):
    package = dotted(folder)
    unused = {f"{package}.{name}" for name in exported(folder) if (package, name) not in taken}
    assert unused - set(FOR_OTHERS) == set()


def test_exceptions_are_still_exceptions(taken):
    for name, reason in FOR_OTHERS.items():
        package, _, last = name.rpartition(".")
        assert last in exported(ROOT / package.replace(".", "/")), name
        assert (package, last) not in taken, name
        assert reason


def test_the_check_sees_uses_and_their_lack(taken):
    assert ("engine.similarity", "METRICS") in taken
    assert ("engine.jobs", "status") in taken  # as jobs.status
    assert ("engine.similarity", "parc") not in taken
