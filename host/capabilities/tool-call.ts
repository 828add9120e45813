// `ctx.tool.call(name, arguments)`: calls a tool of another plugin. Arguments and result are held against the tool's own schemas; the tool's failure arrives as TOOL_FAILED.
import { Type } from 'typebox';
import { BOUNDS } from '../../schemas/bounds.ts';
import { closed } from '../../schemas/closed.ts';
import type { CallScope } from '../broker/call-scope.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema, type Checker } from '../schema.ts';
import { isLost, type CallResult } from '../sandbox/sandbox.ts';
import { operation } from './capability.ts';

const MOST_DEEP = 4;

interface Request {
  tool: string;
  arguments: unknown;
}

/** A tool someone offers right now, with its schemas compiled. */
export interface ActiveTool {
  /** `<plugin id>/<tool>` */
  readonly address: string;
  readonly instance: string;
  readonly name: string;
  readonly input: Checker<unknown>;
  readonly output: Checker<unknown>;
}

export interface ToolDirectory {
  find(address: string): ActiveTool | undefined;
  /** Calls the tool's instance in a scope of its own, within `parent`. */
  call(tool: ActiveTool, args: unknown, parent: CallScope, attemptKey: string): Promise<{ readonly result: CallResult; readonly scope: CallScope }>;
}

const request = compileSchema<Request>(closed({ tool: Type.String({ minLength: 1, maxLength: 200 }), arguments: Type.Unknown() }));

export function toolCall(tools: ToolDirectory) {
  return operation<Request, 'tool.call'>({
    op: 'tool.call',
    capability: 'tool.call',
    request,
    authorize: ({ tool }, grant) => (grant.tools.includes(tool) ? undefined : { value: tool }),
    perMinute: (grant) => grant.quota?.perMinute,
    async perform({ tool: address, arguments: args }, caller, scope) {
      if (scope.depth >= MOST_DEEP) throw new GatehouseError('TOOL_DEPTH', { tool: address, depth: scope.depth, limit: MOST_DEEP });
      const tool = tools.find(address);
      if (!tool) throw new GatehouseError('TOOL_UNKNOWN', { tool: address });
      const wrong = tool.input.explain(args);
      if (wrong) throw new GatehouseError('TOOL_ARGUMENT', { tool: address, path: wrong.path, problem: wrong.problem });
      const { result, scope: nested } = await tools.call(tool, args, scope, scope.nextKey(caller.instance));
      const failed = !result.ok ? result.message : undefined;
      const misfit = result.ok ? tool.output.explain(result.value) : undefined;
      if (!result.ok || misfit) {
        nested.release();
        if (nested.toolWasAway || (!result.ok && isLost(result))) scope.toolWasAway = true;
        if (!result.ok && result.code === 'INSTANCE_BUSY') throw new GatehouseError('TOOL_BUSY', { tool: address, queue: 'calls', depth: BOUNDS.callsWaitingPerInstance });
        throw new GatehouseError('TOOL_FAILED', { tool: address, problem: (failed ?? `its result is wrong at ${misfit?.path}: ${misfit?.problem}`).slice(0, BOUNDS.toolFailureText) });
      }
      scope.absorb(nested);
      return result.value;
    },
  });
}
