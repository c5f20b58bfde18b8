// Drives an org with jsforce and prints what it saw as JSON; the test knows what it should have seen.
import jsforce from 'jsforce';

const conn = new jsforce.Connection({ instanceUrl: process.env.ORG_URL, accessToken: process.env.ORG_TOKEN, version: '66.0' });
conn.bulk2.pollInterval = 1000;
conn.bulk2.pollTimeout = 60000;
const input = JSON.parse(process.env.ROWS);
const seen = {};

const identity = await conn.identity();
seen.username = identity.username;

const loaded = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'insert', input });
seen.created = loaded.successfulResults.map((r) => [r.Legacy_Id__c, r.sf__Id, r.sf__Created]);
seen.failed = loaded.failedResults.map((r) => [r.Legacy_Id__c, r.sf__Error]);
seen.unprocessed = loaded.unprocessedRecords;

const rows = await (await conn.bulk2.query('SELECT Id, Name, Legacy_Id__c, AnnualRevenue, Description FROM Account')).toArray();
seen.queried = rows;

// a job driven step by step, and one that is aborted
const job = conn.bulk2.createJob({ object: 'Account', operation: 'upsert', externalIdFieldName: 'Legacy_Id__c' });
await job.open();
await job.uploadData(input.slice(0, 2).map((r) => ({ ...r, Name: 'Renamed' })));
await job.close();
await job.poll(1000, 60000);
seen.upserted = (await job.getSuccessfulResults()).map((r) => [r.Legacy_Id__c, r.sf__Id, r.sf__Created]);
const aborted = conn.bulk2.createJob({ object: 'Account', operation: 'insert' });
await aborted.open();
await aborted.abort();
seen.aborted = (await aborted.check()).state;
await aborted.delete();
try {
  await aborted.check();
} catch (err) {
  seen.deleted = [err.name, err.message];
}

// pages of the synchronous query
const all = await conn.query('SELECT Legacy_Id__c FROM Account ORDER BY Legacy_Id__c', { autoFetch: true, maxFetch: 100000, headers: { 'Sforce-Query-Options': 'batchSize=200' } });
seen.pages = all.records.map((r) => r.Legacy_Id__c);

// single records and collections
const contact = await conn.sobject('Contact').create({ LastName: 'Ng', AccountId: loaded.successfulResults[0].sf__Id });
seen.contact = [contact.success, contact.id.length];
seen.updated = (await conn.sobject('Contact').update({ Id: contact.id, FirstName: 'Jo' })).success;
const read = await conn.sobject('Contact').retrieve(contact.id);
seen.read = [read.FirstName, read.LastName, read.AccountId === loaded.successfulResults[0].sf__Id];
const upsert = await conn.sobject('Account').upsert([{ Legacy_Id__c: input[0].Legacy_Id__c, Name: 'Again' }, { Legacy_Id__c: 'J-new', Name: 'New' }], 'Legacy_Id__c');
seen.collection = upsert.map((r) => [r.success, r.created]);
const many = await conn.sobject('Contact').create([{ LastName: 'A' }, { FirstName: 'nobody' }, { LastName: 'B' }], { allowRecursive: true });
seen.many = many.map((r) => [r.success, (r.errors ?? []).map((e) => [e.statusCode ?? e.errorCode, e.message])]);
seen.destroyed = (await conn.sobject('Contact').destroy(many.filter((r) => r.success).map((r) => r.id))).map((r) => r.success);
seen.describe = (await conn.sobject('Account').describe()).fields.some((f) => f.name === 'Legacy_Id__c' && f.externalId);
try {
  await conn.query('SELECT Nonsense FROM Account');
} catch (err) {
  seen.nonsense = err.name;
}
seen.limits = (await conn.limits()).DailyApiRequests.Max;

console.log(JSON.stringify(seen));
