// Judges messages for Teams, one JSON a line, by Microsoft's Adaptive Cards library and by the limits that it misses.
import assert from "node:assert";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.TELLTALE_TEST_NPM}/`);
const { AdaptiveCard, SerializationContext, Versions } = require("adaptivecards/dist/adaptivecards.js");
const known = {
  RichTextBlock: ["type", "inlines", "spacing", "separator"],
  TextRun: ["type", "text", "size", "weight", "color", "isSubtle"],
  "Action.OpenUrl": ["type", "title", "url"],
};

const check = (part) => {
  const extra = Object.keys(part).filter((key) => !known[part.type]?.includes(key));
  assert.deepEqual(extra, [], `${part.type} has no ${extra}`);
  if (part.type === "TextRun") assert(part.text.length > 0, "an empty run");
  (part.inlines ?? []).forEach(check);
};

for await (const line of createInterface({ input: process.stdin })) {
  assert(Buffer.byteLength(line) <= 28 * 1024, `${Buffer.byteLength(line)} bytes are too many`);
  const message = JSON.parse(line);
  assert.deepEqual(Object.keys(message).sort(), ["attachments", "type"]);
  assert.equal(message.type, "message");
  const [{ contentType, contentUrl, content }] = message.attachments;
  assert.equal(contentType, "application/vnd.microsoft.card.adaptive");
  assert.equal(contentUrl, null);
  const { msteams, ...card } = content;
  assert.equal(card.version, "1.5");
  const context = new SerializationContext(Versions.v1_5);
  const parsed = new AdaptiveCard();
  parsed.parse(card, context);
  const faults = [...Array(context.eventCount).keys()].map((at) => context.getEventAt(at).message);
  assert.deepEqual(faults, []);
  assert.deepEqual(parsed.validateProperties().validationEvents.map((fault) => fault.message), []);
  assert.equal(parsed.getItemCount(), card.body.length, "an element was dropped");
  [...card.body, ...card.actions].forEach(check);
}
