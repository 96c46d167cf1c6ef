// Judges messages for Discord, one JSON a line, by its builders and by the limits that those miss.
import assert from "node:assert";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.TELLTALE_TEST_NPM}/`);
const { EmbedBuilder, embedLength } = require("@discordjs/builders");

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  assert.deepEqual(message.allowed_mentions, { parse: [] }, "somebody may be mentioned");
  assert.equal(message.content, undefined);
  assert.equal(message.embeds.length, 1);
  const [embed] = message.embeds;
  const builder = new EmbedBuilder()
    .setTitle(embed.title)
    .setDescription(embed.description)
    .setColor(embed.color)
    .setTimestamp(new Date(embed.timestamp))
    .setFooter(embed.footer)
    .addFields(...embed.fields);
  if (embed.url !== undefined) builder.setURL(embed.url);
  const built = builder.toJSON();
  assert(embedLength(built) <= 6000, `${embedLength(built)} characters in all`);
  assert(embed.fields.length <= 25 && embed.fields.every((field) => field.name.trim() && field.value.trim()), "an empty field");
  for (const text of [embed.title, embed.description, ...embed.fields.map((field) => field.value)]) {
    assert(!/(^|[^\\])[<[`*_~|]/.test(text.replaceAll("\\\\", "")), `something is formatted in ${text.slice(0, 300)}`);
  }
}
