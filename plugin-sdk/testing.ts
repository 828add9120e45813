// '@gatehouse/plugin-sdk/testing': simple fakes for an author's unit tests, run by any test runner on plain Node.
//
// They check your logic, and that what crosses the border is JSON of the right shape. They do not confine anything: here your code has URL, timers,
// Buffer and all of Node, no CPU or memory limit, and no quotas but those noted. What the sandbox of a running host does with the built plugin decides.
export { runPlugin } from './testing/run-plugin.ts';
export { testContext, type LogLine, type SentMessage, type TestContext, type TestOptions } from './testing/test-context.ts';
export { aDelivery, aMessage, aSession, aSocketFrame, aSocketOpening, anHttpRequest } from './testing/samples.ts';
