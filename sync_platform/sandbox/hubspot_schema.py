"""The account's settings in memory: properties and their groups, pipelines, owners; written through to the store."""

from typing import Any

from sync_platform.sandbox import hubspot_standard
from sync_platform.sandbox.hubspot_kinds import KINDS, Kind
from sync_platform.sandbox.hubspot_store import Store
from sync_platform.sandbox.hubspot_values import Property
from sync_platform.sandbox.hubspot_wire import stamp

_EARLY_MS = 1_577_836_800_000  # 2020-01-01: the account's start
_INDEXED = {"contacts": ("email", "phone", "mobilephone", "hs_searchable_calculated_phone_number")}
Doc = dict[str, Any]


class Schema:
    """Documents as the API shows them, by kind and name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.load()

    def load(self) -> None:
        """Read everything; a fresh store gets HubSpot's standard settings first."""
        if not self._store.settings("group"):
            with self._store.transaction():
                self._standard()
        self._props: dict[str, dict[str, Property]] = {name: {} for name in KINDS}
        self.groups: dict[str, dict[str, Doc]] = {name: {} for name in KINDS}
        self.pipelines: dict[str, dict[str, Doc]] = {name: {} for name in KINDS}
        self.owners: dict[str, Doc] = {}
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
            for doc in hubspot_standard.properties(kind, at):
                self._store.put_setting("property", kind, doc["name"], doc)
            for n, (name, label) in enumerate(hubspot_standard.GROUPS[kind]):
                group = {"name": name, "label": label, "displayOrder": n, "archived": False}
                self._store.put_setting("group", kind, name, group)
            for name in _INDEXED.get(kind, ()):
                self._store.index(kind, name, f"fold(json_extract(props,'$.{name}'))")
        self._store.put_setting("pipeline", "tickets", "0", hubspot_standard.pipeline(at))

    # properties

    def find(self, kind: Kind, name: str, now_ms: int) -> Property | None:
        """A property that exists for callers at this moment: not archived, and its delay is over."""
        prop = self._props[kind.name].get(name)
        return prop if prop is not None and not prop.archived and prop.ready_ms <= now_ms else None

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
        self._set_options(kind, "hs_pipeline", lines)
        self._set_options(kind, "hs_pipeline_stage", [stage for line in lines for stage in line["stages"]])

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
