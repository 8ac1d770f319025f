"""Jinja's sandbox, quicker at reading many templates once; imports jinja2 only.

Nine tenths of rendering a plan is Jinja that compiles its templates. They say the same few things again and again, and
Jinja reads each anew; and its compiler goes over every piece of plain text ten times in search of names. What is here
saves both: the code that comes out is, character by character, what Jinja makes of the same text.
"""

from __future__ import annotations

import re
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.lexer import TOKEN_BLOCK_END, TOKEN_DATA, TOKEN_VARIABLE_END, Lexer, Token, TokenStream
from jinja2.sandbox import SandboxedEnvironment

# A tag or a comment, with the white space that a minus at its end takes away. Within a tag a mapping, at most.
_WITHIN = r"(?:[^{}%]|\{[^{}%]*\})*"
_TAG = re.compile(
    rf"(\{{\{{{_WITHIN}\}}\}}(?:(?<=-\}}\}})\s+)?"
    rf"|\{{%{_WITHIN}%\}}(?:(?<=-%\}})\s+)?"
    r"|\{#[-+]?.*?(?:-#\}\s*|#\}))",
    re.DOTALL,
)
# In what is left: the beginning of any other.
_OTHER = re.compile(r"\{(?:[{%#]|\Z)")
_ENDS = (TOKEN_VARIABLE_END, TOKEN_BLOCK_END)
_DICT_ATTRIBUTES = frozenset(dir(dict))


class _Lexer(Lexer):
    """Reads each different tag once; leaves texts to Jinja that have comments, raw blocks or braces within tags."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self._known: dict[str, tuple[Token, ...]] = {"": ()}

    def tokenize(
        self, source: str, name: str | None = None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        found = self._by_tags(source) if state is None else None
        if found is None:
            return super().tokenize(source, name, filename, state)
        return TokenStream(found, name, filename)

    def _by_tags(self, source: str) -> list[Token] | None:
        if "\r" in source:
            return None
        # Like Jinja, without the newline at the end.
        parts = _TAG.split(source.removesuffix("\n"))
        found, line = [], 1
        for text, tag in zip(parts[::2], [*parts[1::2], ""], strict=True):
            tokens = None if _OTHER.search(text) else self._tokens(tag)
            if tokens is None:
                return None
            kept = text.rstrip() if tag[2:3] == "-" else text
            if kept:
                found.append(Token(line, TOKEN_DATA, kept))
            line += text.count("\n")
            found += [Token(line + number, kind, value) for number, kind, value in tokens]
            line += tag.count("\n")
        return found

    def _tokens(self, tag: str) -> tuple[Token, ...] | None:
        """Return a tag's tokens, with lines counted from its own, which is 0; None for what is not just one tag."""
        known = self._known.get(tag)
        if known is None:
            try:
                read = list(self.wrap(self.tokeniter(tag, None)))
            except jinja2.TemplateSyntaxError:
                return None
            ends = [number for number, token in enumerate(read, 1) if token.type in _ENDS]
            # A comment has no tokens. {% raw %} has none, either: what comes after it is no tag.
            if ends != [len(read)] and not tag.startswith("{#"):
                return None
            known = self._known[tag] = tuple(token._replace(lineno=token.lineno - 1) for token in read)
        return known


class _Generator(CodeGenerator):
    """Looks for names only where names can be."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802  (Jinja's name)
        waiting: list[nodes.Node] = [node]
        while waiting:
            parent = waiting.pop()
            children = tuple(child for child in parent.iter_child_nodes() if type(child) is not nodes.TemplateData)
            waiting += children
            if isinstance(parent, nodes.Expr | nodes.Output | nodes.If):
                # Each search asks each node for its children. Of these all are wanted, never some by their place.
                parent.__dict__["iter_child_nodes"] = children.__iter__
        super().visit_Template(node, frame)


class Sandbox(SandboxedEnvironment):
    """Jinja's sandbox for templates of Heat; its overlays read what they have in common once."""

    code_generator_class = _Generator

    def __init__(self) -> None:
        # Heat templates are no HTML: nothing is escaped. The optimizer folds constants, of which there are none.
        super().__init__(autoescape=False, optimized=False, auto_reload=False, cache_size=-1)
        self._lexer = _Lexer(self)

    @property
    def lexer(self) -> Lexer:
        """The lexer of this environment and of its overlays alone: Jinja's is shared by the whole process."""
        return self._lexer

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what Jinja comes to, sooner for keys of dicts: roles and networks are dicts."""
        if type(obj) is dict and attribute in obj and attribute not in _DICT_ATTRIBUTES:
            return obj[attribute]
        return super().getattr(obj, attribute)
