"""What the twin of HubSpot takes and answers beside the CRM: the account, OAuth, own types, webhooks and the journal.

Strict JSON Schema as in `answers`, likewise written down apart from the code that makes the answers.
"""

from sync_platform.sandbox.hubspot.schemata import (
    FLAG,
    ID,
    MAYBE,
    PROPERTY_BODY,
    TEXT,
    TIME,
    TYPE_ID,
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

# the account

_ACCOUNT: dict[str, Json] = {
    "Owner": of(
        {
            "id": ID,
            "email": MAYBE,
            "type": {"enum": ["PERSON", "QUEUE"]},
            "firstName": TEXT,
            "lastName": TEXT,
            "userId": {"type": ["integer", "null"]},
            "userIdIncludingInactive": WHOLE,
            "createdAt": TIME,
            "updatedAt": TIME,
            "archived": FLAG,
            "teams": many(closed("*", id=TEXT, name=TEXT, primary=FLAG)),
        },
        "id", "type", "createdAt", "updatedAt", "archived",
    ),
    **page("Owner"),
    "Details": closed(
        "*",
        portalId=WHOLE,
        accountType={"enum": ["APP_DEVELOPER", "DEVELOPER_TEST", "SANDBOX", "STANDARD"]},
        timeZone=TEXT,
        companyCurrency=TEXT,
        additionalCurrencies=many(TEXT),
        utcOffset={"type": "string", "pattern": "^[+-][0-9]{2}:[0-9]{2}$"},
        utcOffsetMilliseconds=WHOLE,
        uiDomain=TEXT,
        dataHostingLocation=TEXT,
    ),
    "SecondaryEmails": of(
        {"vid": WHOLE, "email": MAYBE, "secondary-emails": many(TEXT)}, "vid", "email", "secondary-emails"
    ),
    "TokenKey": given("tokenKey", tokenKey=TEXT),
    "TokenInfo": closed(
        "userId hubId appId scopes",
        userId=WHOLE,
        hubId=WHOLE,
        appId=WHOLE,
        scopes=many(TEXT),
        signedAccessToken={"type": ["object", "null"]},
        isUserLevel=FLAG,
    ),
    "TokenForm": given(
        "grant_type",
        grant_type={"enum": ["authorization_code", "refresh_token", "client_credentials"]},
        client_id=TEXT,
        client_secret=TEXT,
        redirect_uri=TEXT,
        code=TEXT,
        refresh_token=TEXT,
        scope=TEXT,
        code_verifier=TEXT,
    ),
    "TokenOnly": given("token", token=TEXT, client_id=TEXT, client_secret=TEXT, token_type_hint=TEXT),
    "Tokens": closed(
        "access_token token_type expires_in",
        access_token=TEXT,
        refresh_token=TEXT,
        expires_in=WHOLE,
        token_type=TEXT,
        token_use=TEXT,
        hub_id=WHOLE,
        user_id=WHOLE,
        scopes=many(TEXT),
        id_token=TEXT,
    ),
    "AboutToken": closed(
        "",
        active=FLAG,
        token=TEXT,
        token_type=TEXT,
        token_use=TEXT,
        user=TEXT,
        user_id=WHOLE,
        hub_id=WHOLE,
        hub_domain=TEXT,
        app_id=WHOLE,
        client_id=TEXT,
        scopes=many(TEXT),
        expires_in={"type": "integer", "minimum": 0},
        is_private_distribution=FLAG,
        signed_access_token=closed(
            "*",
            expiresAt=WHOLE,
            scopes=TEXT,
            hubId=WHOLE,
            userId=WHOLE,
            installingUserId=WHOLE,
            appId=WHOLE,
            signature=TEXT,
            newSignature=TEXT,
            scopeToScopeGroupPks=TEXT,
            trialScopes=TEXT,
            trialScopeToScopeGroupPks=TEXT,
            hublet=TEXT,
            isUserLevel=FLAG,
            isPrivateDistribution=FLAG,
            isServiceAccount=FLAG,
        ),
    ),
}  # fmt: skip
_NAMED = "name labels properties requiredProperties"
_TYPE_BODY: Json = {
    "labels": given("", singular=TEXT, plural=TEXT),
    "description": TEXT,
    "primaryDisplayProperty": TEXT,
    "secondaryDisplayProperties": many(TEXT),
    "requiredProperties": many(TEXT),
    "searchableProperties": many(TEXT),
}
_CUSTOM: dict[str, Json] = {
    "CustomType": of(
        {
            **_TYPE_BODY,
            "labels": {"type": "object"},
            "id": TEXT,
            "objectTypeId": TYPE_ID,
            "fullyQualifiedName": TEXT,
            "name": TEXT,
            "archived": FLAG,
            "createdAt": TIME,
            "updatedAt": TIME,
            "properties": many(ref("Property")),
            "associations": many(
                closed("*", id=TEXT, fromObjectTypeId=TYPE_ID, toObjectTypeId=TYPE_ID, name=TEXT, createdAt=TIME)
            ),
        },
        "id", "objectTypeId", "fullyQualifiedName", "name", "labels", "requiredProperties", "properties",
        "associations",
    ),
    "CustomTypes": closed("*", results=many(ref("CustomType"))),
    "NewCustomType": given(
        _NAMED,
        name={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,20}$"},
        properties=many(given("name label type fieldType", name=TEXT, **PROPERTY_BODY)),
        associatedObjects=many(TEXT),
        **_TYPE_BODY,
    ),
    "CustomTypeChange": given("", **_TYPE_BODY),
    "CustomPropertyLimits": closed(
        "*",
        overallLimit=WHOLE,
        overallUsage=WHOLE,
        overallPercentage={"type": "number"},
        byObjectType=many(
            closed(
                "*",
                objectTypeId=TYPE_ID,
                singularLabel=TEXT,
                pluralLabel=TEXT,
                limit=WHOLE,
                usage=WHOLE,
                percentage={"type": "number"},
            )
        ),
    ),
}  # fmt: skip

# webhooks and the journal

_CONDITION = given("", filterType=TEXT, property=TEXT, operator=TEXT, value=TEXT, values=many(TEXT))
_FEEDS: dict[str, Json] = {
    "WebhookSettings": closed(
        "targetUrl throttling createdAt",
        targetUrl={"type": "string", "format": "uri"},
        throttling=closed("*", maxConcurrentRequests=WHOLE),
        createdAt=TIME,
        updatedAt=TIME,
    ),
    "NewWebhookSettings": given(
        "targetUrl",
        targetUrl={"type": "string", "pattern": r"^https://hooks\.example\.com/[a-z]{0,9}$"},
        throttling=given("", maxConcurrentRequests={"type": "integer", "minimum": 1, "maximum": 100}),
    ),
    "Subscription": closed(
        "id eventType active createdAt",
        id=ID,
        eventType=TEXT,
        propertyName=TEXT,
        objectTypeId=TEXT,
        active=FLAG,
        createdAt=TIME,
        updatedAt=TIME,
    ),
    "Subscriptions": closed("*", results=many(ref("Subscription"))),
    "NewSubscription": given(
        "eventType",
        eventType={"type": "string", "pattern": "^(contact|ticket|company|object)\\.(creation|merge|propertyChange)$"},
        propertyName=TEXT,
        objectTypeId=TEXT,
        active=FLAG,
    ),
    "SubscriptionChange": given("active", active=FLAG),
    "SubscriptionChanges": inputs(given("id active", id=WHOLE, active=FLAG), 100),
    **batch("Subscription"),
    "JournalEntry": closed("*", url={"type": "string", "format": "uri"}, expiresAt=TIME, currentOffset=TEXT),
    **batch("JournalEntry"),
    "Offsets": given("inputs", inputs=many(TEXT, 100)),
    "JournalFile": closed("*", offset=TEXT, publishedAt=TIME, journalEvents=many({"type": "object"})),
    "JournalSubscription": closed(
        "id subscriptionType objectTypeId actions appId portalId createdAt updatedAt",
        id=WHOLE,
        subscriptionType=TEXT,
        objectTypeId=TEXT,
        actions=many(TEXT),
        appId=WHOLE,
        portalId=WHOLE,
        properties=many(TEXT),
        objectIds=many(WHOLE),
        associatedObjectTypeIds=many(TEXT),
        listIds=many(WHOLE),
        createdAt=TIME,
        updatedAt=TIME,
    ),
    "JournalSubscriptions": closed("*", results=many(ref("JournalSubscription"))),
    "NewJournalSubscription": given(
        "subscriptionType",
        subscriptionType={"enum": ["OBJECT", "ASSOCIATION", "GDPR_PRIVACY_DELETION"]},
        objectTypeId={"enum": ["0-1", "0-2", "0-5"]},
        actions=many({"enum": ["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"]}),
        properties=many(TEXT),
        objectIds=many(WHOLE),
        associatedObjectTypeIds=many(TEXT),
        listIds=many(WHOLE),
        portalId=WHOLE,
    ),
    "JournalFilter": closed("*", id=WHOLE, createdAt=WHOLE, filter=closed("*", conditions=many({}))),
    "JournalFilters": many(ref("JournalFilter")),
    "NewJournalFilter": given(
        "filter subscriptionId", filter=given("conditions", conditions=many(_CONDITION)), subscriptionId=WHOLE
    ),
    "JournalFilterMade": closed("*", filterId=WHOLE),
    "SnapshotStatus": closed(
        "id status initiatedAt", id=TEXT, status=TEXT, initiatedAt=WHOLE, completedAt=WHOLE, errorCode=TEXT
    ),
    "SnapshotRequests": given(
        "snapshotRequests",
        snapshotRequests=many(
            given("objectId objectTypeId", objectId=WHOLE, objectTypeId=TEXT, portalId=WHOLE, properties=many(TEXT)),
            100,
        ),
    ),
    "Snapshots": closed(
        "*",
        snapshotResponses=many(
            closed("*", portalId=WHOLE, objectTypeId=TEXT, objectId=WHOLE, snapshotStatusId=TEXT)
        ),
    ),
}  # fmt: skip

ACCOUNT: dict[str, Json] = {**_ACCOUNT, **_CUSTOM, **_FEEDS}
