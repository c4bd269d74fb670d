"""The strings of a template or a module that stand to be translated, found without any tool outside Python.

A string is (context, words, plural); context and plural are empty for most.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.template.base import Lexer, Token, TokenType

ROOT = Path(__file__).resolve().parents[2]
String = tuple[str, str, str]
SINGLE = re.compile(r"""^translate\s+("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')(.*)$""")
INLINE = re.compile(r"""_\(("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)""")
CONTEXT = re.compile(r"""\bcontext\s+["']([^"']*)["']""")
NAMES = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
EXTENDS = re.compile(r"""\{%\s*extends\s+["']([^"']+)["']""")
INCLUDES = re.compile(r"""\{%\s*include\s+["']([^"']+)["']""")


def of_template(text: str) -> set[String]:
    """Return the strings of a template."""
    tokens = iter(Lexer(text).tokenize())
    found: set[String] = set()
    for token in tokens:
        if token.token_type == TokenType.TEXT or token.token_type == TokenType.COMMENT:
            continue
        said = token.contents
        found |= {("", ast.literal_eval(words), "") for words in INLINE.findall(said)}
        single = SINGLE.match(said)
        if single:
            context = CONTEXT.search(single[2])
            found.add((context[1] if context else "", ast.literal_eval(single[1]), ""))
        elif said.split()[0] == "blocktranslate":
            found.add(_block(said, tokens))
    return found


def _block(head: str, tokens: Iterator[Token]) -> String:
    parts = [""]
    for token in tokens:
        if token.token_type == TokenType.TEXT:
            parts[-1] += token.contents.replace("%", "%%")
        elif token.token_type == TokenType.VAR:
            parts[-1] += f"%({token.contents})s"
        elif token.contents.strip() == "plural":
            parts.append("")
        else:
            break
    context = CONTEXT.search(head)
    return (context[1] if context else "", parts[0], parts[1] if len(parts) > 1 else "")


def of_module(text: str) -> set[String]:
    """Return the strings of a Python module."""
    found: set[String] = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in NAMES:
            continue
        words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not words:
            continue
        if node.func.id.startswith("pgettext"):
            found.add((words[0], words[1], ""))
        elif node.func.id.startswith("ngettext"):
            found.add(("", words[0], words[1]))
        else:
            found.add(("", words[0], ""))
    return found
