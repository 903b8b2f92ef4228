"""The page of the Python functions, made from their signatures and docstrings.

python docs/python_api.py    prints it; `make docs-outputs` writes it into docs/reference/python.md
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipeline

PAGE = Path(__file__).resolve().parent / "reference" / "python.md"
_ROOM = "pipeline.api"
HEAD = """# Python

<!-- Written by docs/python_api.py from signatures and docstrings: change those, then `make docs-outputs`. -->

What `from pipeline import ...` gives, and what it returns. The commands call the same functions. All of it at work:
[a notebook](../tutorials/notebook.ipynb).
"""


def make_page() -> str:
    """Return the page as Markdown: every function, then every class that one of them returns."""
    functions = [getattr(pipeline, name) for name in pipeline.__all__]
    returned = [each.__annotations__.get("return") for each in functions]
    classes = dict.fromkeys(each for each in returned if inspect.isclass(each) and each.__module__.startswith(_ROOM))
    parts = [HEAD]
    for function in functions:
        parts += [f"## {function.__name__}\n", _describe(function)]
    for each in classes:
        parts += [f"## {each.__name__}\n", _block(inspect.cleandoc(each.__doc__ or ""), "text")]
        for name, member in _public_members(each):
            parts += [f"### {each.__name__}.{name}\n", _describe(member)]
    return "\n".join(parts)


def _public_members(owner: type[Any]) -> Iterator[tuple[str, Any]]:
    for name, member in vars(owner).items():
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def _describe(function: Any) -> str:
    """Return signature and docstring of a function as two blocks."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    tree.args.args = [each for each in tree.args.args if each.arg != "self"]
    for each in (*tree.args.args, *tree.args.kwonlyargs):
        each.annotation = _unquote(each.annotation)
    is_property = any(isinstance(each, ast.Name) and each.id == "property" for each in tree.decorator_list)
    arguments = "" if is_property else f"({ast.unparse(tree.args)})"
    returns = _unquote(tree.returns)
    signature = f"{function.__name__}{arguments}" + (f" -> {ast.unparse(returns)}" if returns is not None else "")
    text = inspect.cleandoc(function.__doc__ or "").replace("  # doctest: +SKIP", "")
    return _block(signature, "python") + "\n" + _block(text, "text")


def _unquote(annotation: ast.expr | None) -> ast.expr | None:
    """Return an annotation that is written as text, because its import would be slow, as the expression it is."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _block(text: str, language: str) -> str:
    return f"```{language}\n{text.strip()}\n```\n"


if __name__ == "__main__":
    print(make_page(), end="")
