"""Signing's pages: plain ones, in one style, that load nothing from anywhere."""

from pathlib import Path
from string import Template
from typing import Final

FOLDER: Final = Path(__file__).parent / "templates"


def page(name: str) -> Template:
    """Return the page `templates/NAME.html` in the house's style; who fills in the rest of it escapes it."""
    return Template(Template(text(f"{name}.html")).safe_substitute(style=text("style.css")))


def text(file: str) -> str:
    """Return the text of a file in `templates`."""
    return (FOLDER / file).read_text("utf-8")


def security(**allowed: str) -> dict[str, str]:
    """Return the headers under which a browser does for a page what is `allowed` (script_src, …) and nothing else."""
    fixed = {"default_src": "'none'", "style_src": "'unsafe-inline'", "base_uri": "'none'", "frame_ancestors": "'none'"}
    policy = "; ".join(f"{name.replace('_', '-')} {value}" for name, value in {**fixed, **allowed}.items())
    return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
