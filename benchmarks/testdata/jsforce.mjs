// Loads a file with jsforce, as a stream.
import { createReadStream } from 'node:fs';
import jsforce from 'jsforce';

const conn = new jsforce.Connection({ instanceUrl: process.env.ORG_URL, accessToken: process.env.ORG_TOKEN, version: '66.0' });
conn.bulk2.pollInterval = 1000;
conn.bulk2.pollTimeout = 600000;
await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'insert', input: createReadStream(process.env.FILE) });
