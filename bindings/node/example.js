'use strict';

// Asks a question and prints the answer as it comes: node example.js [MODEL [QUESTION]]
const { Engine } = require('finback');

async function main(model = 'krill', question = 'What do baleen whales eat?') {
  const engine = await Engine.open(model);
  const stream = await engine.chat({ messages: [{ role: 'user', content: question }] });
  for await (const event of stream) {
    if (event.kind === 'content') process.stdout.write(event.text);
  }
  const usage = await stream.usage();
  console.log(`\n[${usage.promptTokens} tokens in, ${usage.completionTokens} out]`);
  stream.close();
  engine.close();
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
