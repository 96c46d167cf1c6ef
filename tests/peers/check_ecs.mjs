// Judges `_bulk` requests, one as a JSON string a line, by Elastic's schema: framing, known fields, types, allowed values.
import assert from "node:assert";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { isIP } from "node:net";

const { EcsFlat } = createRequire(`${process.env.TELLTALE_TEST_NPM}/`)("@elastic/ecs");

const fits = {
  date: (value) => !Number.isNaN(Date.parse(value)) && /T.*Z$/.test(value),
  ip: (value) => isIP(value) > 0,
  long: Number.isInteger,
  keyword: (value) => typeof value === "string" && Buffer.byteLength(value) <= 32766,
  wildcard: (value) => typeof value === "string",
  match_only_text: (value) => typeof value === "string",
};

const check = (value, name) => {
  if (name.startsWith("telltale.")) return;
  const field = EcsFlat[name];
  if (field === undefined) {
    assert(value !== null && typeof value === "object" && !Array.isArray(value), `${name} is not in the schema`);
    for (const [key, inner] of Object.entries(value)) check(inner, `${name}.${key}`);
    return;
  }
  if (field.normalize?.includes("array")) assert(Array.isArray(value), `${name} is an array`);
  for (const one of [value].flat()) {
    assert(fits[field.type]?.(one), `${name}: ${JSON.stringify(one).slice(0, 200)} is no ${field.type}`);
    const allowed = (field.allowed_values ?? []).map((known) => known.name);
    assert(allowed.length === 0 || allowed.includes(one), `${name}: ${one} is none of ${allowed}`);
    if (name === "event.type") expected(one);
  }
};

let categories = [];
const expected = (type) => {
  for (const category of categories) {
    const known = EcsFlat["event.category"].allowed_values.find((value) => value.name === category);
    assert(known.expected_event_types.includes(type), `${category} expects ${known.expected_event_types}, not ${type}`);
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  assert(request.endsWith("\n"), "the last line does not end");
  const lines = request.split("\n");
  assert.equal(lines.length, 3, "two lines are expected");
  const action = JSON.parse(lines[0]);
  assert.deepEqual(Object.keys(action), ["create"], "a data stream takes nothing but create");
  assert(Buffer.byteLength(action.create._id) <= 512 && action.create._index);
  const document = JSON.parse(lines[1]);
  for (const name of ["@timestamp", "ecs", "event", "message"]) assert(document[name] !== undefined, name);
  categories = document.event.category;
  for (const [key, value] of Object.entries(document)) check(value, key);
}
