// Asks skills in order until one answers; `null` means "not mine". Runs at least once per message, counts exactly once.
import { RespondResult, type Message } from '../../../schemas/message.ts';
import { compileSchema } from '../../schema.ts';
import { commandsOf, type CommandTable } from '../commands/registry.ts';
import type { LaneContext } from '../context.ts';
import { costOf, toolRecords } from '../cost-record.ts';
import type { CallScope } from '../../broker/call-scope.ts';
import { isAway, isLost, type CallResult } from '../../sandbox/sandbox.ts';
import type { PluginCalls, ScopedResult } from '../plugin-calls.ts';
import { turnOf } from '../lanes/turns.ts';
import type { PluginDirectory, SkillEntry } from '../plugin-directory.ts';
import { sessionOf } from '../sessions/sessions.ts';
import type { Presence, Shown } from '../../outbound/presence.ts';
import { permitted } from '../gating/permit.ts';
import type { Store } from '../../store/store.ts';
import { CANCELLED, PASS, type Stage, type Verdict } from '../stage.ts';
import { tryAgain, type TryPolicy } from '../tries.ts';

/** A message that cost the skill its sandbox: once more, for it may have been chance; a third strike would take the skill from everybody. */
const POISONED: TryPolicy = { attempts: 2, firstMs: 1000, mostMs: 5000, blame: true };
/** A skill that failed on this message: 5 tries over about 4 seconds. A skill that was not there, or lost the call through no fault of its own: 50 tries over about 20 minutes. */
const FAILED: TryPolicy = { attempts: 5, firstMs: 250, mostMs: 5000, blame: true };
const AWAY: TryPolicy = { attempts: 50, firstMs: 50, mostMs: 30_000, blame: false };

/** The skill says that no other try will do better. */
const TERMINAL: TryPolicy = { attempts: 1, firstMs: 0, mostMs: 0, blame: true };

const respondResult = compileSchema<RespondResult>(RespondResult);

export interface RespondParts {
  readonly calls: PluginCalls;
  readonly directory: PluginDirectory;
  readonly store: Store;
  readonly presence: Pick<Presence, 'begin'>;
}

export function respond({ calls, directory, store, presence }: RespondParts): Stage<LaneContext> {
  return {
    name: 'respond',
    budgetMs: 2000,
    onFailure: 'retry',
    async run(context) {
      const { message, session } = context;
      const skills = directory.skills();
      const table = commandsOf(skills);
      for (const skill of skills) {
        if (context.cancelled) return CANCELLED;
        if (!isAsked(skill, message, table)) continue;
        if (!skill.available) {
          context.stages.push({ stage: 'skill', decision: 'skipped', instance: skill.instance, durationMs: 0 });
          continue;
        }
        const input = { message, session: sessionOf(context.sessionKey, session) };
        const shown = presence.begin(context);
        const options = { attemptKey: context.messageId, waitMs: skill.wallMs, hops: message.hops, turn: turnOf(message), caller: context, ...(shown && { stream: shown.stream }) };
        const called = await whileShown(shown, calls.call(skill.instance, 'respond', input, options));
        const { result, scope } = called;
        const shownAs = (await shown?.end(speaks(result)))?.id;
        if (!result.ok && context.cancelled) return CANCELLED;
        if (!result.ok) return again(context, called, skill.instance, result.code, result.message, policyFor(result, scope));
        if (!respondResult.is(result.value)) {
          scope.release();
          const wrong = respondResult.explain(result.value);
          return again(context, called, skill.instance, 'RESULT_INVALID', `its result is wrong at ${wrong?.path}: ${wrong?.problem}`, FAILED);
        }
        context.stages.push({ stage: 'skill', decision: result.value ? 'answered' : 'not-mine', instance: skill.instance, ...costOf(called) }, ...toolRecords(called));
        if (scope.hasWrites) context.scopes.push(scope);
        if (!result.value) continue;
        context.answeredBy = skill.instance;
        const replies = await permitted(result.value.replies, context, { directory, store });
        context.replies = shownAs === undefined ? replies : replies.map((reply, index) => (index === 0 ? { ...reply, id: shownAs } : reply));
        return PASS;
      }
      return PASS;
    },
  };
}

/** A call that throws is a defect; nobody goes on saying that somebody writes for it. */
async function whileShown<Called>(shown: Shown | undefined, calling: Promise<Called>): Promise<Called> {
  try {
    return await calling;
  } catch (error) {
    await shown?.end(false);
    throw error;
  }
}

/** Whether what was shown becomes a message: the first reply is one. */
function speaks(result: CallResult): boolean {
  if (!result.ok || !respondResult.is(result.value)) return false;
  const first = result.value?.replies[0];
  return first !== undefined && first.text.trim() !== '' && first.edits === undefined && first.reacts === undefined;
}

/** A try that reached the skill's code has cost something; one that did not, has not. */
function again(context: LaneContext, called: ScopedResult, instance: string, reason: string, problem: string, policy: TryPolicy): Verdict {
  const cost = called.result.cpuUs > 0 ? costOf(called) : { durationMs: 0 };
  context.stages.push({ stage: 'skill', decision: policy === POISONED ? 'struck' : 'failed', reason, instance, ...cost }, ...toolRecords(called));
  return tryAgain(context, policy, { code: policy === POISONED ? 'MESSAGE_POISONED' : reason === 'BUDGET_EXCEEDED' ? reason : 'RESPOND_FAILED', instance, problem });
}

function policyFor(result: Extract<CallResult, { ok: false }>, { toolWasAway }: CallScope): TryPolicy {
  if (isAway(result.code) || isLost(result) || toolWasAway) return AWAY;
  // What a budget refused to the call itself, or to its code, it refuses to the next try.
  if (result.terminal || result.code === 'BUDGET_EXCEEDED' || result.errorCode === 'BUDGET_EXCEEDED') return TERMINAL;
  return result.code === 'CALL_CPU' || result.code === 'SANDBOX_DIED' || result.code === 'SANDBOX_FRAME' ? POISONED : FAILED;
}

/** No triggers, or `always`, means every message. A command is for the one skill that has it; a prefix is what the text begins with, to the letter. */
function isAsked({ instance, triggers }: SkillEntry, { text, command }: Message, table: CommandTable): boolean {
  if (!triggers || triggers.always || (!triggers.prefixes && !triggers.commands)) return true;
  if (triggers.prefixes?.some((prefix) => text.startsWith(prefix))) return true;
  return command !== undefined && table.find(command.name)?.skill === instance;
}
