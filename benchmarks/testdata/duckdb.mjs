// Writes a Parquet file as CSV with DuckDB; COLUMNS is the list of a SELECT.
import { DuckDBInstance } from '@duckdb/node-api';

const db = await (await DuckDBInstance.create(':memory:')).connect();
await db.run(`COPY (SELECT ${process.env.COLUMNS} FROM read_parquet('${process.env.FILE}')) TO '${process.env.TO}' (FORMAT csv, HEADER, DELIMITER ',')`);
