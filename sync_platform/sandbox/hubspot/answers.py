"""What the twin of HubSpot takes and answers, in strict JSON Schema: the components of its own description.

Fields, and which of them may be missing or null, are as recorded or as HubSpot's clients model them. They are written
down here and not taken from the code that makes the answers, so that either can be held against the other: every
object is closed (no field beside those named), ids are strings but in v4 associations, where recordings have numbers.
"""

from sync_platform.sandbox.hubspot.answers_account import ACCOUNT
from sync_platform.sandbox.hubspot.schemata import (
    CONTEXT,
    EITHER_ID,
    FLAG,
    ID,
    MAYBE,
    PAGING,
    PROPERTY_BODY,
    TEXT,
    TIME,
    TYPE_ID,
    VALUE,
    WHOLE,
    Json,
    batch,
    closed,
    given,
    inputs,
    many,
    of,
    page,
    ref,
)

# errors

_ERROR_FIELDS: Json = {
    "status": TEXT,
    "message": TEXT,
    "correlationId": {"type": "string", "format": "uuid"},
    "category": TEXT,
    "subCategory": TEXT,
    "errors": many(ref("ErrorDetail")),
    "context": CONTEXT,
    "links": {"type": "object", "additionalProperties": TEXT},
    # A 429 as documented.
    "errorType": TEXT,
    "policyName": TEXT,
    "requestId": TEXT,
}
_ERRORS: dict[str, Json] = {
    "Error": of(_ERROR_FIELDS, "status", "message", "correlationId"),
    "ErrorDetail": closed("message", message=TEXT, code=TEXT, subCategory=TEXT, context=CONTEXT, **{"in": TEXT}),
    "RowError": closed(
        "status category message errors context links",
        status=TEXT,
        id=TEXT,
        category=TEXT,
        subCategory=TEXT,
        message=TEXT,
        errors=many(ref("ErrorDetail")),
        context=CONTEXT,
        links={"type": "object", "additionalProperties": TEXT},
    ),
    "OAuthError": closed("*", status=TEXT, message=TEXT, error=TEXT, error_description=TEXT),
}

# records

_RECORD: Json = {
    "id": ID,
    "properties": {"type": "object", "additionalProperties": MAYBE},
    "propertiesWithHistory": {"type": "object", "additionalProperties": many(ref("Version"))},
    "createdAt": TIME,
    "updatedAt": TIME,
    "archived": FLAG,
    "archivedAt": TIME,
    "url": {"type": "string", "format": "uri"},
    "objectWriteTraceId": TEXT,
}
_ALWAYS = ("id", "properties", "createdAt", "updatedAt", "archived")
_ASSOCIATED: Json = {"type": "object", "additionalProperties": ref("AssociatedIds")}
_SPEC = given(
    "associationTypeId",
    associationCategory={"enum": ["HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED", "WORK"]},
    associationTypeId={"type": "integer", "examples": [16]},
)
_WRITTEN: Json = {"type": "object", "additionalProperties": VALUE}
_KEY: Json = {"type": "string", "minLength": 1}


_RECORDS: dict[str, Json] = {
    "Version": closed(
        "value timestamp sourceType",
        value=TEXT,
        timestamp=TIME,
        sourceType=TEXT,
        sourceId=TEXT,
        sourceLabel=TEXT,
        updatedByUserId=WHOLE,
    ),
    "Record": of(_RECORD, *_ALWAYS),
    "RecordWithAssociations": of({**_RECORD, "associations": _ASSOCIATED}, *_ALWAYS),
    "UpsertedRecord": of({**_RECORD, "new": FLAG}, *_ALWAYS, "new"),
    "AssociatedIds": of({"results": many(closed("*", id=ID, type=TEXT)), **PAGING}, "results"),
    "Paging": closed("*", next=closed("after", after=TEXT, link={"type": "string", "format": "uri"})),
    "Found": of({"total": {"type": "integer", "minimum": 0}, "results": many(ref("Record")), **PAGING},
                "total", "results"),
    **batch("Record"),
    **batch("UpsertedRecord"),
    **page("RecordWithAssociations"),
}  # fmt: skip
_RECORD_BODIES: dict[str, Json] = {
    "NewRecord": given("properties", properties=_WRITTEN, associations=many(ref("NewAssociation"))),
    "NewAssociation": given("to types", to=given("id", id=_KEY), types=many(_SPEC)),
    "Change": given("properties", properties=_WRITTEN),
    "NewRecords": inputs(
        given("properties", properties=_WRITTEN, associations=many(ref("NewAssociation")), objectWriteTraceId=TEXT), 100
    ),
    "Asked": inputs(
        given("id", id=_KEY), 100, idProperty=TEXT, properties=many(TEXT), propertiesWithHistory=many(TEXT)
    ),
    "Changes": inputs(
        given("id properties", id=_KEY, idProperty=TEXT, properties=_WRITTEN, objectWriteTraceId=TEXT), 100
    ),
    "Upserts": inputs(
        given("id idProperty properties", id=_KEY, idProperty=TEXT, properties=_WRITTEN, objectWriteTraceId=TEXT), 100
    ),
    "Ids": inputs(given("id", id=_KEY), 100),
    "Merge": given("primaryObjectId objectIdToMerge", primaryObjectId=_KEY, objectIdToMerge=_KEY),
    "Forget": given("objectId", objectId=_KEY, idProperty=TEXT),
    "Query": given(
        "",
        filterGroups=many(given("", filters=many(ref("Filter"), 6)), 5),
        sorts=many({"anyOf": [TEXT, ref("Sort")]}, 1),
        query=TEXT,
        properties=many(TEXT),
        limit={"type": "integer", "minimum": 0, "maximum": 200},
        after={"type": "string", "pattern": "^[0-9]{1,4}$"},
    ),
    "Sort": given("propertyName", propertyName=TEXT, direction={"enum": ["ASCENDING", "DESCENDING"]}),
    "Filter": given(
        "propertyName operator",
        propertyName={"type": "string", "examples": ["hs_object_id", "hs_lastmodifieddate", "createdate"]},
        operator={
            "enum": ["EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY",
                     "NOT_HAS_PROPERTY", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"]
        },
        value=TEXT,
        highValue=TEXT,
        values=many(TEXT),
    ),
}  # fmt: skip

# associations

_CATEGORY: Json = {"enum": ["HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED", "WORK"]}
_END = given("id", id=_KEY)
_ASSOCIATIONS: dict[str, Json] = {
    "Label": of({"category": _CATEGORY, "typeId": WHOLE, "label": MAYBE}, "category", "typeId", "label"),
    "Labels": closed("*", results=many(ref("Label"))),
    "Associated": closed("*", toObjectId=EITHER_ID, associationTypes=many(ref("Label"))),
    "Tie": closed(
        "*",
        fromObjectTypeId=TYPE_ID,
        fromObjectId=EITHER_ID,
        toObjectTypeId=TYPE_ID,
        toObjectId=EITHER_ID,
        labels=many(TEXT),
    ),
    "DefaultTie": of(
        {
            "from": closed("*", id=ID),
            "to": closed("*", id=ID),
            "associationSpec": closed("*", associationCategory=_CATEGORY, associationTypeId=WHOLE),
        },
        "from", "to", "associationSpec",
    ),
    "AssociatedOfOne": of(
        {"from": closed("*", id=TEXT), "to": many(ref("Associated")), **PAGING}, "from", "to"
    ),
    **page("Associated"),
    **batch("Tie"),
    **batch("DefaultTie"),
    **batch("AssociatedOfOne"),
    "Types": {"type": "array", "items": _SPEC, "minItems": 1},
    "TypedPairs": inputs(given("from to types", **{"from": _END, "to": _END, "types": many(_SPEC)}), 2000),
    "Pairs": inputs(given("from to", **{"from": _END, "to": _END}), 2000),
    "OneToMany": inputs(given("from to", **{"from": _END, "to": many(_END)}), 2000),
    "From": inputs(given("id", id=_KEY, after=TEXT), 1000),
    "NewLabel": given("label name", label=TEXT, name=TEXT, inverseLabel=TEXT),
    "LabelChange": given("associationTypeId label", associationTypeId=WHOLE, label=TEXT, inverseLabel=TEXT),
}  # fmt: skip

# properties and pipelines

_NEW_PROPERTY = given(
    "name label type fieldType groupName",
    name={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,40}$"},
    hasUniqueValue=FLAG,
    dataSensitivity={"enum": ["non_sensitive", "sensitive", "highly_sensitive"]},
    **PROPERTY_BODY,
)
_PROPERTIES: dict[str, Json] = {
    "Option": of(
        {"label": TEXT, "value": TEXT, "displayOrder": WHOLE, "hidden": FLAG, "description": TEXT},
        "label", "value", "hidden",
    ),
    "Property": of(
        {
            "name": TEXT,
            **PROPERTY_BODY,
            "options": many(ref("Option")),
            "hasUniqueValue": FLAG,
            "dataSensitivity": TEXT,
            "calculated": FLAG,
            "hubspotDefined": FLAG,
            "archived": FLAG,
            "archivedAt": TIME,
            "createdAt": TIME,
            "updatedAt": TIME,
            "createdUserId": TEXT,
            "updatedUserId": TEXT,
            "showCurrencySymbol": FLAG,
            "modificationMetadata": closed(
                "archivable readOnlyDefinition readOnlyValue",
                archivable=FLAG,
                readOnlyDefinition=FLAG,
                readOnlyValue=FLAG,
                readOnlyOptions=FLAG,
            ),
        },
        "name", "label", "type", "fieldType", "groupName", "description", "options",
    ),
    "Properties": closed("*", results=many(ref("Property"))),
    **batch("Property"),
    "NewProperty": _NEW_PROPERTY,
    "NewProperties": inputs(_NEW_PROPERTY, 100),
    "PropertyChange": given("", **PROPERTY_BODY),
    "Names": inputs(given("name", name=TEXT), 100, archived=FLAG),
    "Group": closed("*", name=TEXT, label=TEXT, displayOrder=WHOLE, archived=FLAG),
    "Groups": closed("*", results=many(ref("Group"))),
    "NewGroup": given("name label", name=TEXT, label=TEXT, displayOrder=WHOLE),
    "GroupChange": given("", label=TEXT, displayOrder=WHOLE),
}  # fmt: skip
_METADATA: Json = {"type": "object", "additionalProperties": TEXT}
_NEW_STAGE = given("label displayOrder", label={"type": "string", "minLength": 1}, displayOrder=WHOLE,
                   metadata=_METADATA)  # fmt: skip
_STAMPS: Json = {"createdAt": TIME, "updatedAt": TIME, "archived": FLAG, "archivedAt": TIME}
_PIPELINES: dict[str, Json] = {
    "Stage": of(
        {"id": TEXT, "label": TEXT, "displayOrder": WHOLE, "metadata": _METADATA, "writePermissions": TEXT, **_STAMPS},
        "id", "label", "displayOrder", "metadata", "createdAt", "updatedAt", "archived",
    ),
    "Pipeline": of(
        {"id": TEXT, "label": TEXT, "displayOrder": WHOLE, "stages": many(ref("Stage")), **_STAMPS},
        "id", "label", "displayOrder", "stages", "createdAt", "updatedAt", "archived",
    ),
    "Stages": closed("*", results=many(ref("Stage"))),
    "Pipelines": closed("*", results=many(ref("Pipeline"))),
    "AuditEntry": closed(
        "identifier action portalId",
        identifier=TEXT,
        action=TEXT,
        portalId=WHOLE,
        timestamp=TIME,
        fromUserId=WHOLE,
        message=TEXT,
        rawObject={},
    ),
    "Audit": closed("*", results=many(ref("AuditEntry"))),
    "NewStage": _NEW_STAGE,
    "StageChange": given("", label={"type": "string", "minLength": 1}, displayOrder=WHOLE, metadata=_METADATA),
    "NewPipeline": given(
        "label displayOrder stages",
        label={"type": "string", "minLength": 1},
        displayOrder=WHOLE,
        stages=many(_NEW_STAGE),
    ),
    "PipelineChange": given("", label={"type": "string", "minLength": 1}, displayOrder=WHOLE),
}  # fmt: skip

SCHEMAS: dict[str, Json] = {
    **_ERRORS, **_RECORDS, **_RECORD_BODIES, **_ASSOCIATIONS, **_PROPERTIES, **_PIPELINES, **ACCOUNT,
}  # fmt: skip
