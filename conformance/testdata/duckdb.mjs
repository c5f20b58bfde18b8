// Reads what an export has written with DuckDB and prints, for each file, the types that it finds and every value as text.
import { DuckDBInstance } from '@duckdb/node-api';

const db = await (await DuckDBInstance.create(':memory:')).connect();
await db.run("SET TimeZone = 'UTC'");
const seen = {};
for (const [name, from] of Object.entries(JSON.parse(process.env.FILES))) {
  const columns = (await db.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`)).getRows();
  // Numbers are compared as DuckDB has them, not as it prints them; JSON has the shortest digits of a double.
  const text = columns.map(([column, type]) => {
    const quoted = '"' + column.replaceAll('"', '""') + '"';
    if (type.startsWith('TIMESTAMP')) return `epoch_ms(${quoted})::VARCHAR`;
    return type === 'DOUBLE' ? quoted : `${quoted}::VARCHAR`;
  });
  const rows = (await db.runAndReadAll(`SELECT ${text.join(', ')} FROM ${from}`)).getRows();
  seen[name] = { Types: columns.map((c) => c[1]), Rows: rows };
}
console.log(JSON.stringify(seen, (k, v) => (typeof v === 'bigint' ? v.toString() : v)));
