"""The properties, groups and pipelines that a HubSpot account has from the start.

Names, types and default stage ids are HubSpot's documented ones; the option list of `source_type` is inferred. Every
portal has many more: these are the ones that a sync of customers and tickets meets.
"""

from typing import Any

from sync_platform.sandbox.hubspot import generic as hubspot_generic

GROUPS: dict[str, tuple[tuple[str, str], ...]] = hubspot_generic.GROUPS | {
    "contacts": (("contactinformation", "Contact information"), ("emailinformation", "Email information")),
    "companies": (("companyinformation", "Company information"),),
    "tickets": (("ticketinformation", "Ticket information"),),
    "notes": (("engagement", "Engagement information"),),
}

LANGUAGES = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "de-at": "German - Austria", "de-ch": "German - Switzerland", "el": "Greek",
    "en": "English", "en-au": "English - Australia", "en-ca": "English - Canada", "en-gb": "English - United Kingdom",
    "en-ie": "English - Ireland", "en-us": "English - United States", "es": "Spanish", "es-mx": "Spanish - Mexico",
    "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French", "fr-be": "French - Belgium",
    "fr-ca": "French - Canada", "fr-ch": "French - Switzerland", "ga": "Irish", "gl": "Galician", "gu": "Gujarati",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian",
    "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean", "lt": "Lithuanian",
    "lv": "Latvian", "ms": "Malay", "nl": "Dutch", "nl-be": "Dutch - Belgium", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "pt-br": "Portuguese - Brazil", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
    "zh-cn": "Chinese - China", "zh-hk": "Chinese - Hong Kong", "zh-tw": "Chinese - Taiwan",
}  # fmt: skip
LIFECYCLE = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist",
    "other",
)  # fmt: skip
PRIORITIES = {"LOW": "Low", "MEDIUM": "Medium", "HIGH": "High", "URGENT": "Urgent"}
CATEGORIES = {
    "PRODUCT_ISSUE": "Product issue",
    "BILLING_ISSUE": "Billing issue",
    "FEATURE_REQUEST": "Feature request",
    "GENERAL_INQUIRY": "General inquiry",
}
SOURCES = {"CHAT": "Chat", "EMAIL": "Email", "FORM": "Form", "PHONE": "Phone"}
STAGES = (("1", "New"), ("2", "Waiting on contact"), ("3", "Waiting on us"), ("4", "Closed"))

# name, label, type, fieldType; the sign before a name: "-" read only, "*" unique.
_CONTACTS = """
email|Email|string|text
-hs_additional_emails|Additional email addresses|enumeration|checkbox
firstname|First Name|string|text
lastname|Last Name|string|text
phone|Phone Number|string|phonenumber
mobilephone|Mobile Phone Number|string|phonenumber
company|Company Name|string|text
jobtitle|Job Title|string|text
address|Street Address|string|text
city|City|string|text
country|Country/Region|string|text
zip|Postal Code|string|text
website|Website URL|string|text
hs_language|Preferred language|enumeration|select
lifecyclestage|Lifecycle Stage|enumeration|radio
hubspot_owner_id|Contact owner|enumeration|select
-createdate|Create Date|datetime|date
-lastmodifieddate|Last Modified Date|datetime|date
-hs_object_id|Record ID|number|number
-hs_merged_object_ids|Merged record IDs|enumeration|checkbox
-hs_calculated_merged_vids|Merged vids with timestamps|enumeration|text
-hs_all_contact_vids|All vids for a contact|enumeration|checkbox
-hs_email_optout|Unsubscribed from all email|bool|booleancheckbox
-hs_email_domain|Email Domain|string|text
-hs_is_unworked|Contact unworked|bool|booleancheckbox
-hs_searchable_calculated_phone_number|Calculated phone number|string|text
-hs_searchable_calculated_mobile_number|Calculated mobile number|string|text
-num_notes|Number of Sales Activities|number|number
-notes_last_updated|Last Activity Date|datetime|date
-associatedcompanyid|Primary associated company ID|number|number
"""
_COMPANIES = """
name|Company name|string|text
domain|Company Domain Name|string|text
phone|Phone Number|string|phonenumber
city|City|string|text
country|Country/Region|string|text
hubspot_owner_id|Company owner|enumeration|select
lifecyclestage|Lifecycle Stage|enumeration|radio
-createdate|Create Date|datetime|date
-hs_lastmodifieddate|Last Modified Date|datetime|date
-hs_object_id|Record ID|number|number
-hs_merged_object_ids|Merged record IDs|enumeration|checkbox
-num_notes|Number of Sales Activities|number|number
-notes_last_updated|Last Activity Date|datetime|date
"""
_TICKETS = """
subject|Ticket name|string|text
content|Ticket description|string|textarea
hs_pipeline|Pipeline|enumeration|select
hs_pipeline_stage|Ticket status|enumeration|select
hs_ticket_priority|Priority|enumeration|select
hs_ticket_category|Category|enumeration|checkbox
source_type|Source|enumeration|select
hubspot_owner_id|Ticket owner|enumeration|select
createdate|Create date|datetime|date
closed_date|Close date|datetime|date
-hs_ticket_id|Ticket ID|number|number
-hs_object_id|Record ID|number|number
-hs_lastmodifieddate|Last modified date|datetime|date
-hs_merged_object_ids|Merged record IDs|enumeration|checkbox
-num_notes|Number of Sales Activities|number|number
-notes_last_updated|Last Activity Date|datetime|date
"""
_NOTES = """
hs_note_body|Note body|string|html
hs_timestamp|Activity date|datetime|date
hubspot_owner_id|Activity assigned to|enumeration|select
hs_attachment_ids|Attached file IDs|string|text
-hs_createdate|Create date|datetime|date
-hs_lastmodifieddate|Last modified date|datetime|date
-hs_object_id|Record ID|number|number
"""
_ORIGIN = """
-hs_object_source|Record source|string|text
-hs_object_source_id|Record source ID|string|text
-hs_object_source_label|Record source label|string|text
-hs_object_source_user_id|Record source user ID|string|text
"""
_LINES = hubspot_generic.LINES | {"contacts": _CONTACTS, "companies": _COMPANIES, "tickets": _TICKETS, "notes": _NOTES}


def _options(name: str) -> list[dict[str, Any]]:
    lists: dict[str, dict[str, str]] = hubspot_generic.OPTIONS | {
        "hs_language": LANGUAGES,
        "lifecyclestage": {value: value.capitalize() for value in LIFECYCLE},
        "hs_ticket_priority": PRIORITIES,
        "hs_ticket_category": CATEGORIES,
        "source_type": SOURCES,
        "hs_pipeline": {"0": "Support Pipeline"},
        "hs_pipeline_stage": dict(STAGES),
        "hs_email_optout": {"true": "Yes", "false": "No"},
        "hs_is_unworked": {"true": "True", "false": "False"},
    }
    return [
        {"label": label, "value": value, "displayOrder": n, "hidden": False, "description": ""}
        for n, (value, label) in enumerate(lists.get(name, {}).items())
    ]


def properties(kind: str, created_at: str) -> list[dict[str, Any]]:
    """The documents of a kind's standard properties, as GET /properties shows them."""
    rows = []
    for n, line in enumerate((_LINES[kind] + _ORIGIN).split("\n")):
        if not line:
            continue
        name, label, type_, field_type = line.split("|")
        read_only = name.startswith("-")
        name = name.lstrip("-")
        doc: dict[str, Any] = {
            "name": name,
            "label": label,
            "type": type_,
            "fieldType": field_type,
            "description": "",
            "groupName": GROUPS[kind][0][0],
            "options": [] if kind == "custom" and name in ("hs_pipeline", "hs_pipeline_stage") else _options(name),
            "displayOrder": n,
            "calculated": name.startswith(("hs_searchable_", "num_", "hs_calculated_")),
            "externalOptions": name == "hubspot_owner_id",
            "hasUniqueValue": False,
            "hidden": name.startswith("hs_object_source"),
            "hubspotDefined": True,
            "formField": not read_only,
            "dataSensitivity": "non_sensitive",
            "archived": False,
            "createdAt": created_at,
            "updatedAt": created_at,
            "modificationMetadata": {
                "archivable": False,
                "readOnlyDefinition": True,
                "readOnlyOptions": not name.startswith(("hs_ticket_", "source_type")),
                "readOnlyValue": read_only,
            },
        }
        if name == "hubspot_owner_id":
            doc["referencedObjectType"] = "OWNER"
        rows.append(doc)
    return rows


def pipeline(created_at: str) -> dict[str, Any]:
    """The default ticket pipeline; metadata values are strings [doc]."""
    stages = [
        {
            "id": stage,
            "label": label,
            "displayOrder": n,
            "metadata": {
                "ticketState": "CLOSED" if stage == "4" else "OPEN",
                "isClosed": "true" if stage == "4" else "false",
            },
            "createdAt": created_at,
            "updatedAt": created_at,
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }
        for n, (stage, label) in enumerate(STAGES)
    ]
    return {
        "id": "0",
        "label": "Support Pipeline",
        "displayOrder": 0,
        "createdAt": created_at,
        "updatedAt": created_at,
        "archived": False,
        "stages": stages,
    }
