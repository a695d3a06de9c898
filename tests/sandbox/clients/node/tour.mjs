// Drives HubSpot's own Node client over a sandbox and prints what it got as JSON.
// Usage: node tour.mjs <folder with node_modules> <address> <token> <tour>
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const [, , home, basePath, accessToken, tour] = process.argv;
const { Client } = createRequire(join(home, 'anchor.cjs'))('@hubspot/api-client');
// The client's own limiter and retries are on, as its readme advises.
const client = new Client({ basePath, accessToken, numberOfApiCallRetries: 6 });
const { contacts, tickets, companies, objects, owners, properties, pipelines, associations } = client.crm;

const shown = (row) => ({
  id: row.id,
  properties: row.properties,
  createdAt: row.createdAt,
  isDate: row.createdAt instanceof Date,
});

async function everything() {
  const kinds = { contacts, tickets, companies, notes: objects.notes };
  const found = {};
  for (const [kind, area] of Object.entries(kinds)) {
    const names = (await properties.coreApi.getAll(kind)).results.map((row) => row.name);
    const rows = [];
    let after;
    do {
      const page = await area.basicApi.getPage(100, after, names);
      rows.push(...page.results.map(shown));
      after = page.paging?.next?.after;
    } while (after);
    found[kind] = rows;
  }
  found.owners = (await owners.ownersApi.getPage(undefined, undefined, 100, false)).results;
  found.pipelines = (await pipelines.pipelinesApi.getAll('tickets')).results;
  return found;
}

async function writes() {
  const api = contacts.basicApi;
  const made = await api.create({ properties: { email: 'Node.One@Example.com', firstname: 'Nora' }, associations: [] });
  const got = await api.getById(made.id, ['email', 'firstname'], ['firstname'], undefined, false);
  const updated = await api.update(made.id, { properties: { firstname: 'Ada' } });
  await properties.groupsApi.create('contacts', { name: 'sync', label: 'Sync', displayOrder: -1 });
  await properties.coreApi.create('contacts', {
    name: 'sync_id', label: 'Sync id', type: 'string', fieldType: 'text', groupName: 'sync', hasUniqueValue: true,
  });
  const inputs = ['k1', 'k2'].map((id) => ({
    id, idProperty: 'sync_id', objectWriteTraceId: id, properties: { email: `${id}@example.com`, sync_id: id },
  }));
  const upserted = await until(() => contacts.batchApi.upsert({ inputs }));
  const again = await contacts.batchApi.upsert({ inputs });
  const asked = {
    filterGroups: [{ filters: [{ propertyName: 'sync_id', operator: 'HAS_PROPERTY' }] }],
    properties: ['sync_id'], limit: 10, sorts: ['sync_id'],
  };
  const found = await until(async () => {
    const answer = await contacts.searchApi.doSearch(asked);
    return answer.total === 2 ? answer : undefined;
  });
  const ticket = await tickets.basicApi.create({
    properties: { subject: 'Broken lid', hs_pipeline: '0', hs_pipeline_stage: '1' }, associations: [],
  });
  const v4 = associations.v4;
  await v4.basicApi.createDefault('tickets', ticket.id, 'contacts', made.id);
  const linked = await v4.basicApi.getPage('tickets', ticket.id, 'contacts');
  const read = await v4.batchApi.getPage('tickets', 'contacts', { inputs: [{ id: ticket.id }] });
  const loser = upserted.results.find((row) => row.properties.sync_id === 'k1');
  const survivor = await api.merge({ primaryObjectId: made.id, objectIdToMerge: loser.id });
  const followed = await api.getById(made.id);
  await tickets.basicApi.archive(ticket.id);
  const missing = await tickets.basicApi.getById(ticket.id).catch((error) => error.code);
  const conflict = await api
    .create({ properties: { email: 'node.one@example.com' }, associations: [] })
    .catch((error) => ({ status: error.code, category: error.body?.category }));
  return {
    made: shown(made), got: shown(got), source: got.propertiesWithHistory.firstname[0], updated: shown(updated),
    upserted: upserted.results.map((row) => [row.properties.sync_id, row._new ?? row.new]).sort(),
    again: again.results.map((row) => [row.properties.sync_id, row._new ?? row.new]).sort(),
    found: found.results.map((row) => row.properties.sync_id),
    ticket: ticket.id, linked: linked.results, read: read.results, survivor: shown(survivor), followed: followed.id,
    missing, conflict,
  };
}

async function burst() {
  const asked = { filterGroups: [], properties: ['email'], limit: 1 };
  const searches = Array.from({ length: 6 }, () => contacts.searchApi.doSearch(asked));
  const reads = Array.from({ length: 12 }, () => contacts.basicApi.getPage(1));
  const answers = await Promise.all([...searches, ...reads]);
  return { answers: answers.length, totals: answers.slice(0, 6).map((one) => one.total) };
}

// What takes time to be known: a new property, the search index.
async function until(attempt) {
  for (let left = 100; left > 0; left -= 1) {
    const answer = await attempt().catch((error) => {
      if (left === 1 || error.code !== 400) throw error;
    });
    if (answer) return answer;
    await pause(50);
  }
  throw new Error('it did not come true');
}

console.log(JSON.stringify(await { everything, writes, burst }[tour]()));
