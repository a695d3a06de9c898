"""The properties, groups and pipelines of the further kinds: deals, line items, products, activities, users, own types.

Names and types are HubSpot's, from general knowledge: the ones that a reader or writer of these kinds meets first. The
ids of the default deal pipeline and its stages are words, not numbers [general knowledge].
"""

from typing import Any

GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "deals": (("dealinformation", "Deal information"),),
    "line_items": (("lineiteminformation", "Line item information"),),
    "products": (("productinformation", "Product information"),),
    "calls": (("call", "Call information"),),
    "emails": (("email", "Email information"),),
    "meetings": (("meeting", "Meeting information"),),
    "tasks": (("task", "Task information"),),
    "communications": (("communication", "Communication information"),),
    "users": (("user_information", "User information"),),
    "custom": (("objectinformation", "Object information"),),
}

_ENGAGED = """
hs_timestamp|Activity date|datetime|date
hubspot_owner_id|Activity assigned to|enumeration|select
hs_attachment_ids|Attached file IDs|string|text
-hs_createdate|Create date|datetime|date
-hs_lastmodifieddate|Last modified date|datetime|date
-hs_object_id|Record ID|number|number
"""
_TIMES = """
-hs_createdate|Create date|datetime|date
-hs_lastmodifieddate|Last modified date|datetime|date
-hs_object_id|Record ID|number|number
"""
_COMMERCE = """
-createdate|Create date|datetime|date
-hs_lastmodifieddate|Last modified date|datetime|date
-hs_object_id|Record ID|number|number
"""
LINES: dict[str, str] = {
    "deals": """
dealname|Deal Name|string|text
dealstage|Deal Stage|enumeration|radio
pipeline|Pipeline|enumeration|select
amount|Amount|number|number
closedate|Close Date|datetime|date
dealtype|Deal Type|enumeration|radio
description|Deal Description|string|textarea
hubspot_owner_id|Deal owner|enumeration|select
createdate|Create Date|datetime|date
-hs_lastmodifieddate|Last Modified Date|datetime|date
-hs_object_id|Record ID|number|number
-hs_merged_object_ids|Merged record IDs|enumeration|checkbox
-num_notes|Number of Sales Activities|number|number
-notes_last_updated|Last Activity Date|datetime|date
""",
    "line_items": """
name|Name|string|text
hs_sku|SKU|string|text
price|Unit price|number|number
quantity|Quantity|number|number
amount|Net price|number|number
hs_product_id|Product ID|number|number
description|Description|string|textarea
""" + _COMMERCE,
    "products": """
name|Name|string|text
hs_sku|SKU|string|text
price|Unit price|number|number
description|Product description|string|textarea
hs_url|URL|string|text
""" + _COMMERCE,
    "calls": """
hs_call_title|Call Title|string|text
hs_call_body|Call notes|string|html
hs_call_direction|Call direction|enumeration|select
hs_call_duration|Call duration|number|number
hs_call_from_number|From number|string|text
hs_call_to_number|To number|string|text
hs_call_status|Call status|enumeration|select
hs_call_disposition|Call outcome|string|text
""" + _ENGAGED,
    "emails": """
hs_email_subject|Email subject|string|text
hs_email_text|Email body (text)|string|textarea
hs_email_html|Email body (HTML)|string|html
hs_email_direction|Email Direction|enumeration|select
hs_email_status|Email send status|enumeration|select
hs_email_headers|Email headers|string|textarea
""" + _ENGAGED,
    "meetings": """
hs_meeting_title|Meeting name|string|text
hs_meeting_body|Meeting description|string|html
hs_meeting_start_time|Meeting start time|datetime|date
hs_meeting_end_time|Meeting end time|datetime|date
hs_meeting_location|Meeting location|string|text
hs_meeting_outcome|Meeting outcome|enumeration|select
""" + _ENGAGED,
    "tasks": """
hs_task_subject|Task Title|string|text
hs_task_body|Task notes|string|html
hs_task_status|Task Status|enumeration|select
hs_task_priority|Priority|enumeration|select
hs_task_type|Task Type|enumeration|select
""" + _ENGAGED,
    "communications": """
hs_communication_channel_type|Channel type|enumeration|select
hs_communication_logged_from|Logged from|enumeration|select
hs_communication_body|Communication body|string|html
""" + _ENGAGED,
    "users": """
hs_email|Email|string|text
hs_given_name|First name|string|text
hs_family_name|Last name|string|text
hs_internal_user_id|HubSpot user ID|number|number
hubspot_owner_id|Owner|enumeration|select
hs_job_title|Job title|string|text
""" + _TIMES,
    "custom": """
hubspot_owner_id|Owner|enumeration|select
hs_pipeline|Pipeline|enumeration|select
hs_pipeline_stage|Pipeline stage|enumeration|select
-hs_merged_object_ids|Merged record IDs|enumeration|checkbox
""" + _TIMES,
}  # fmt: skip

STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
OPTIONS: dict[str, dict[str, str]] = {
    "dealstage": {stage: label for stage, label, _ in STAGES},
    "pipeline": {"default": "Sales Pipeline"},
    "dealtype": {"newbusiness": "New Business", "existingbusiness": "Existing Business"},
    "hs_call_direction": {"INBOUND": "Inbound", "OUTBOUND": "Outbound"},
    "hs_call_status": {
        "BUSY": "Busy", "CALLING_CRM_USER": "Calling CRM user", "CANCELED": "Canceled", "COMPLETED": "Completed",
        "CONNECTING": "Connecting", "FAILED": "Failed", "IN_PROGRESS": "In progress", "NO_ANSWER": "No answer",
        "QUEUED": "Queued", "RINGING": "Ringing",
    },
    "hs_email_direction": {
        "EMAIL": "Email", "INCOMING_EMAIL": "Incoming email", "FORWARDED_EMAIL": "Forwarded email",
    },
    "hs_email_status": {
        "BOUNCED": "Bounced", "FAILED": "Failed", "SCHEDULED": "Scheduled", "SENDING": "Sending", "SENT": "Sent",
    },
    "hs_meeting_outcome": {
        "SCHEDULED": "Scheduled", "COMPLETED": "Completed", "RESCHEDULED": "Rescheduled", "NO_SHOW": "No show",
        "CANCELED": "Canceled",
    },
    "hs_task_status": {
        "NOT_STARTED": "Not started", "IN_PROGRESS": "In progress", "WAITING": "Waiting", "COMPLETED": "Completed",
        "DEFERRED": "Deferred",
    },
    "hs_task_priority": {"NONE": "None", "LOW": "Low", "MEDIUM": "Medium", "HIGH": "High"},
    "hs_task_type": {"EMAIL": "Email", "CALL": "Call", "TODO": "To-do"},
    "hs_communication_channel_type": {"WHATS_APP": "WhatsApp", "LINKEDIN_MESSAGE": "LinkedIn", "SMS": "SMS"},
    "hs_communication_logged_from": {"CRM": "CRM"},
}  # fmt: skip


def deal_pipeline(created_at: str) -> dict[str, Any]:
    """The default deal pipeline; metadata values are strings [doc]."""
    stages = [
        {
            "id": stage,
            "label": label,
            "displayOrder": n,
            "metadata": {"probability": probability, "isClosed": str(stage.startswith("closed")).lower()},
            "createdAt": created_at,
            "updatedAt": created_at,
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }
        for n, (stage, label, probability) in enumerate(STAGES)
    ]
    return {
        "id": "default",
        "label": "Sales Pipeline",
        "displayOrder": 0,
        "createdAt": created_at,
        "updatedAt": created_at,
        "archived": False,
        "stages": stages,
    }
