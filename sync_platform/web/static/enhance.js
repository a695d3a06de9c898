// The pages work without this. With it: what opens in place is fetched, long tables are filtered, keys move along.
"use strict";
