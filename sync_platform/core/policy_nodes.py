"""Reading YAML with line numbers, collecting every problem instead of stopping at the first.

Knows YAML and words, not what a policy means. Scalars keep the spelling of the file: `1`, `on` and `no` stay text
until somebody asks for a number or a flag.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sync_platform.core.records import Json
from sync_platform.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: line (from 1), key path, what is wrong, what to do."""

    line: int
    path: str
    what: str
    remedy: str


class PolicyWrong(Misconfigured):
    """A policy file says something that it cannot mean; `problems` has all of it, in the order of the file."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(message, code="POLICY", remedy=self.problems[0].remedy)


@dataclass(slots=True)
class Reading:
    """A file that is being read; `problems` grows, `fail` raises them all at once."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, node: Node | None, path: str, what: str, remedy: str) -> None:
        """Note a problem at a node (None: at the beginning of the file)."""
        line = node.start_mark.line + 1 if node is not None and node.start_mark is not None else 1
        self.problems.append(Problem(line, path, what, remedy))

    def fail(self) -> None:
        """Raise `Misconfigured` with every problem, in the order of the file; nothing when there is none."""
        if not self.problems:
            return
        found = sorted(self.problems, key=lambda one: one.line)
        lines = [f"{self.file}:{one.line}: {one.path or 'file'}: {one.what}. {one.remedy}" for one in found]
        head = f"{self.file}: 1 problem" if len(lines) == 1 else f"{self.file}: {len(lines)} problems"
        raise PolicyWrong("\n".join([head, *lines]), found)

    def root(self, text: str) -> MappingNode | None:
        """The file's mapping, or None with a problem noted."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
            what = f"not YAML: {error.problem or 'unreadable'}"
            self.problems.append(Problem(line, "", what, "Check indentation, quotes and brackets there."))
            return None
        except (yaml.YAMLError, RecursionError):
            self.wrong(None, "", "not YAML", "Save the file as UTF-8 text without control characters.")
            return None
        if not isinstance(node, MappingNode):
            self.wrong(node, "", "not a mapping of keys", "Start from a copy: `sync-platform init` writes one.")
            return None
        return node

    def mapping(self, node: Node, path: str, allowed: Collection[str] | None = None) -> dict[str, Node]:
        """Key → node of a mapping; unknown and repeated keys are problems and left out."""
        if not isinstance(node, MappingNode):
            self.wrong(node, path, "must be a mapping", f"Write keys below it{_among(allowed)}.")
            return {}
        out: dict[str, Node] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else ""
            where = f"{path}.{key}" if path else key
            if allowed is not None and key not in allowed:
                self.wrong(key_node, where, "unknown key", hint(key, allowed))
            elif key in out:
                self.wrong(key_node, where, "stands twice", "Keep one of them.")
            else:
                out[key] = value
        return out

    def word(self, node: Node, path: str, choices: Collection[str]) -> str | None:
        """One word of a list of choices."""
        if not isinstance(node, ScalarNode):
            self.wrong(node, path, "must be one word", f"Write one{_among(choices)}.")
            return None
        if node.value not in choices:
            self.wrong(node, path, f"`{node.value}` is not a choice", hint(node.value, choices))
            return None
        return str(node.value)

    def words(self, node: Node, path: str, choices: Collection[str] | None = None) -> tuple[str, ...]:
        """A list of different words (a single word counts as a list of one)."""
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        out: list[str] = []
        for one in nodes:
            if not isinstance(one, ScalarNode) or not one.value.strip():
                self.wrong(one, path, "must be a list of words", f"Write a list{_among(choices)}.")
                continue
            found = one.value if choices is None else self.word(one, path, choices)
            if found in out:
                self.wrong(one, path, f"`{found}` stands twice", "Keep one of them.")
            elif found is not None:
                out.append(found)
        return tuple(out)

    def flag(self, node: Node, path: str) -> bool:
        """True or false."""
        return self.word(node, path, ("true", "false")) == "true"

    def number(self, node: Node, path: str, low: float, high: float, *, whole: bool = False) -> float:
        """A number between two bounds, both included; `low` stands in where there is none."""
        try:
            found = float(node.value) if isinstance(node, ScalarNode) else None
        except ValueError:
            found = None
        kind = "a whole number" if whole else "a number"
        if found is None:
            self.wrong(node, path, f"must be {kind}", f"Write {kind} from {low:.12g} to {high:.12g}.")
        elif not low <= found <= high or (whole and found != int(found)):
            what = f"`{node.value}` is not {kind} from {low:.12g} to {high:.12g}"
            remedy = "Write a share, 0.1 for a tenth." if high == 1 else f"Write {kind} within them."
            self.wrong(node, path, what, remedy)
        else:
            return found
        return low


def hint(word: str, choices: Collection[str]) -> str:
    """«Did you mean», or the choices."""
    near = difflib.get_close_matches(word.lower(), [str(one).lower() for one in choices], n=1, cutoff=0.6)
    near = [str(one) for one in choices if str(one).lower() in near]
    return f"Did you mean `{near[0]}`?" if near else f"Write one{_among(choices)}."


def _among(choices: Collection[str] | None) -> str:
    return f" of: {', '.join(str(one) for one in choices)}" if choices else ""


def plain(node: Node | None) -> Json:
    """A node without marks and comments; mappings keep their order as lists of pairs."""
    if isinstance(node, MappingNode):
        return [[plain(key), plain(value)] for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [plain(one) for one in node.value]
    return node.value if node is not None else None
