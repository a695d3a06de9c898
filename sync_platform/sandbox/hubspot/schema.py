"""The account's settings in memory: properties and their groups, pipelines, owners; written through to the store."""

from collections.abc import Callable
from typing import Any

from sync_platform.sandbox.hubspot import generic as hubspot_generic
from sync_platform.sandbox.hubspot import standard as hubspot_standard
from sync_platform.sandbox.hubspot.kinds import KINDS, Kind, Kinds, Tie, custom_kind, tie_among, ties
from sync_platform.sandbox.hubspot.store import Store
from sync_platform.sandbox.hubspot.values import Property
from sync_platform.sandbox.hubspot.wire import Refusal, stamp

_EARLY_MS = 1_577_836_800_000  # 2020-01-01: the account's start
_INDEXED = {"contacts": ("email", "phone", "mobilephone", "hs_searchable_calculated_phone_number")}
LABEL_ID_FIRST = 1_001
Doc = dict[str, Any]


class Schema:
    """Documents as the API shows them, by kind and name."""

    def __init__(self, store: Store, portal_id: int, present_ms: Callable[[], int]) -> None:
        self._store = store
        self.present_ms = present_ms
        self._portal_id = portal_id
        self.load()

    def load(self) -> None:
        """Read everything; a fresh store gets HubSpot's standard settings first."""
        if not self._store.settings("group"):
            with self._store.transaction():
                self._standard()
        self.kinds = Kinds()
        self.customs: dict[str, Doc] = {}
        for _, _, doc, _ in self._store.settings("schema"):
            self._add_custom(doc)
        self._props: dict[str, dict[str, Property]] = {name: {} for name in self.kinds.by_name}
        self.groups: dict[str, dict[str, Doc]] = {name: {} for name in self.kinds.by_name}
        self.pipelines: dict[str, dict[str, Doc]] = {name: {} for name in self.kinds.by_name}
        self.owners: dict[str, Doc] = {}
        self.rules: dict[str, list[Doc]] = {}
        self._labels: dict[tuple[str, str], dict[int, Doc]] = {}
        self._starting: dict[str, dict[str, tuple[Kind, Tie]]] = {}
        self._load_documents()

    def _load_documents(self) -> None:
        for key, _, doc, _ in self._store.settings("label"):
            a, b = key.split(" ")
            self._labels.setdefault((a, b), {})[doc["typeId"]] = doc
        for kind, _, doc, _ in self._store.settings("rule"):
            self.rules.setdefault(kind, []).append(doc)
        for kind, name, doc, ready in self._store.settings("property"):
            self._props[kind][name] = Property.of(doc, ready)
        for kind, name, doc, _ in self._store.settings("group"):
            self.groups[kind][name] = doc
        for kind, name, doc, _ in self._store.settings("pipeline"):
            self.pipelines[kind][name] = doc
        for _, name, doc, _ in self._store.settings("owner"):
            self.owners[name] = doc

    def _standard(self) -> None:
        at = stamp(_EARLY_MS)
        for kind in KINDS:
            self._standard_of(kind, kind, at)
            for name in _INDEXED.get(kind, ()):
                self._store.index(kind, name, f"fold(json_extract(props,'$.{name}'))")
        self._store.put_setting("pipeline", "tickets", "0", hubspot_standard.pipeline(at))
        self._store.put_setting("pipeline", "deals", "default", hubspot_generic.deal_pipeline(at))

    def _standard_of(self, kind: str, like: str, at: str) -> None:
        for doc in hubspot_standard.properties(like, at):
            self._store.put_setting("property", kind, doc["name"], doc)
        for n, (name, label) in enumerate(hubspot_standard.GROUPS[like]):
            group = {"name": name, "label": label, "displayOrder": n, "archived": False}
            self._store.put_setting("group", kind, name, group)

    # kinds of the account's own

    def _add_custom(self, doc: Doc) -> Kind:
        shown = [doc.get("primaryDisplayProperty"), *doc.get("secondaryDisplayProperties", ())]
        names = tuple(name for name in shown if name)
        kind = custom_kind(doc["number"], self._portal_id, doc["name"], names, tuple(doc["requiredProperties"]))
        self._store.add_kind(kind.name)
        self.kinds.add(kind)
        self.customs[kind.name] = doc
        return kind

    def put_custom(self, doc: Doc, at: str) -> Kind:
        """A new or changed type of the account's own."""
        known = doc["name"] in {one["name"] for one in self.customs.values()}
        self._store.put_setting("schema", "", doc["name"], doc)
        if known:
            self.kinds.drop(next(kind for kind in self.kinds.by_name.values() if kind.singular == doc["name"]))
        kind = self._add_custom(doc)
        if not known:
            self._standard_of(kind.name, "custom", at)
            self.load()
        return self.kinds.by_name[kind.name]

    def forget_unsaved(self, name: str) -> None:
        """After a transaction that was rolled back: a type that isn't in the file isn't there."""
        kind = next((one for one in self.kinds.by_name.values() if one.custom and one.singular == name), None)
        if (
            kind is not None
            and not self._store.db.execute(
                "SELECT 1 FROM settings WHERE section='schema' AND name=?", (name,)
            ).fetchone()
        ):
            self._store.drop_kind(kind.name)
            self.load()

    def drop_custom(self, kind: Kind) -> None:
        """Remove a type of the account's own with all that belongs to it."""
        for section in ("property", "group", "pipeline", "rule"):
            for owner, name, _, _ in self._store.settings(section):
                if owner == kind.name:
                    self._store.drop_setting(section, owner, name)
        self._store.drop_setting("schema", "", self.customs[kind.name]["name"])
        self._store.drop_kind(kind.name)
        self.load()

    # association types

    def ties(self, a: Kind, b: Kind) -> list[Tie]:
        """The types from a to b, the unlabelled one first, labels of the account last. Raises Refusal(400)."""
        own = self._labels.get((a.name, b.name))
        if not own:
            return ties(a, b)
        name = f"{a.singular}_to_{b.singular}"
        labels = [
            Tie(doc["typeId"], doc["backId"], doc["label"], f"{name}_{doc['name']}", "USER_DEFINED")
            for doc in own.values()
        ]
        return [*ties(a, b), *labels]

    def tie_of(self, a: Kind, b: Kind, spec: Doc) -> Tie:
        """The type that {associationCategory, associationTypeId} means from a to b. Raises Refusal(400)."""
        known = self.ties(a, b)
        category = spec.get("associationCategory")
        if category is not None:
            alike = [tie for tie in known if tie.category == category]
            if not any(str(tie.type_id) == str(spec["associationTypeId"]) for tie in alike):
                return tie_among(alike or known[:1], a, b, spec["associationTypeId"] if alike else f"of {category}")
        return tie_among(known, a, b, spec["associationTypeId"])

    def ties_from(self, a: Kind) -> dict[str, tuple[Kind, Tie]]:
        """Every type that starts at a kind, by its id."""
        found = self._starting.get(a.name)
        if found is None:
            found = {}
            for b in self.kinds.by_name.values():
                try:
                    known = self.ties(a, b)
                except Refusal:
                    continue
                found.update({str(tie.type_id): (b, tie) for tie in known})
            self._starting[a.name] = found
        return found

    def labels(self, a: Kind, b: Kind) -> dict[int, Doc]:
        """The account's own labels from a to b, by type id."""
        return self._labels.setdefault((a.name, b.name), {})

    def put_label(self, a: Kind, b: Kind, doc: Doc) -> None:
        """Write a label in one direction."""
        self._store.put_setting("label", f"{a.name} {b.name}", str(doc["typeId"]), doc)
        self.labels(a, b)[doc["typeId"]] = doc
        self._starting.clear()

    def drop_label(self, a: Kind, b: Kind, type_id: int) -> None:
        """Remove a label in one direction."""
        self._store.drop_setting("label", f"{a.name} {b.name}", str(type_id))
        self.labels(a, b).pop(type_id, None)
        self._starting.clear()

    def next_label_id(self) -> int:
        """The id that the next label gets; no HubSpot-defined type of any pair has it."""
        used = [type_id for labels in self._labels.values() for type_id in labels]
        return max(used, default=LABEL_ID_FIRST - 1) + 1

    # admin rules

    def put_rule(self, kind: Kind, doc: Doc) -> None:
        """Write an admin's validation rule of one property."""
        self._store.put_setting("rule", kind.name, doc["property"], doc)
        others = [one for one in self.rules.get(kind.name, ()) if one["property"] != doc["property"]]
        self.rules[kind.name] = [*others, doc]

    def drop_rule(self, kind: Kind, name: str) -> None:
        """Remove an admin's validation rule."""
        self._store.drop_setting("rule", kind.name, name)
        self.rules[kind.name] = [one for one in self.rules.get(kind.name, ()) if one["property"] != name]

    # properties

    def find(self, kind: Kind, name: str, now_ms: int) -> Property | None:
        """A property that exists for callers at this moment: not archived, and its delay is over."""
        prop = self._props[kind.name].get(name)
        return prop if prop is not None and not prop.archived and self.ready(prop, now_ms) else None

    def ready(self, prop: Property, now_ms: int) -> bool:
        """Whether its delay is over, also for a call whose wall clock a planned fault has set back."""
        return prop.ready_ms <= now_ms or prop.ready_ms <= self.present_ms()

    def stored(self, kind: Kind, name: str) -> Property | None:
        """A property in any state."""
        return self._props[kind.name].get(name)

    def every(self, kind: Kind) -> list[Property]:
        """All properties in any state, by name."""
        return [prop for _, prop in sorted(self._props[kind.name].items())]

    def unique_names(self, kind: Kind) -> list[str]:
        """Properties with unique values, e-mail of contacts not counted."""
        return [prop.name for prop in self._props[kind.name].values() if prop.unique and not prop.archived]

    def put_property(self, kind: Kind, doc: Doc, ready_ms: int) -> Property:
        """Write a property; a unique one gets an index."""
        prop = Property.of(doc, ready_ms)
        self._store.put_setting("property", kind.name, prop.name, doc, ready_ms)
        self._props[kind.name][prop.name] = prop
        if prop.unique:
            self._store.index(kind.name, prop.name, expression(prop))
        return prop

    def put_group(self, kind: Kind, doc: Doc) -> None:
        """Write a property group."""
        self._store.put_setting("group", kind.name, doc["name"], doc)
        self.groups[kind.name][doc["name"]] = doc

    # pipelines and owners

    def put_pipeline(self, kind: Kind, doc: Doc) -> None:
        """Write a pipeline; the options of the two pipeline properties follow."""
        self._store.put_setting("pipeline", kind.name, doc["id"], doc)
        self.pipelines[kind.name][doc["id"]] = doc
        self._follow_pipelines(kind)

    def drop_pipeline(self, kind: Kind, id_: str) -> None:
        """Remove a pipeline."""
        self._store.drop_setting("pipeline", kind.name, id_)
        del self.pipelines[kind.name][id_]
        self._follow_pipelines(kind)

    def _follow_pipelines(self, kind: Kind) -> None:
        lines = sorted(self.pipelines[kind.name].values(), key=lambda doc: doc["displayOrder"])
        if kind.line_names:
            self._set_options(kind, kind.line_names[0], lines)
            self._set_options(kind, kind.line_names[1], [stage for line in lines for stage in line["stages"]])

    def _set_options(self, kind: Kind, name: str, rows: list[Doc]) -> None:
        old = self._props[kind.name].get(name)
        if old is None:
            return
        options = [
            {"label": row["label"], "value": row["id"], "displayOrder": n, "hidden": False, "description": ""}
            for n, row in enumerate(rows)
        ]
        self.put_property(kind, {**old.doc, "options": options}, old.ready_ms)

    def stage(self, kind: Kind, pipeline: str, stage: str) -> Doc | None:
        """A stage of a pipeline."""
        line = self.pipelines[kind.name].get(pipeline)
        return next((row for row in line["stages"] if row["id"] == stage), None) if line else None

    def put_owner(self, doc: Doc) -> None:
        """Write an owner; owner properties take his id from now on."""
        self._store.put_setting("owner", "", doc["id"], doc)
        self.owners[doc["id"]] = doc

    def check_owner(self, id_: str) -> bool:
        """Whether an owner with this id is there and active."""
        owner = self.owners.get(id_)
        return owner is not None and not owner["archived"]


def expression(prop: Property) -> str:
    """The SQL of a property's comparable value; an index on it has to be made of the very same text."""
    value = f"json_extract(props,'$.{prop.name}')"
    match prop.type:
        case "number":
            return f"CAST(NULLIF({value},'') AS REAL)"
        case "datetime":
            return f"moment({value})"
        case "date" | "bool" | "enumeration":
            return value
    return f"fold({value})"
