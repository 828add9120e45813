// The border where a child's bytes become typed frames. Used by sandbox-process.ts on every frame: written by hand because it is eight times faster than the
// compiled schema and costs no start-up; a test holds it equal to `ChildFrame`.
import { BOUNDS } from '../../schemas/bounds.ts';
import type { ChildFrame, Post } from '../../schemas/sandbox-protocol.ts';
import { FrameProblem } from './frames.ts';

/** Parses and checks one frame. Throws FrameProblem, with none of the child's text in it, for anything that is not a ChildFrame. */
export function readChildFrame(text: string): ChildFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    throw new FrameProblem('a frame that is not JSON');
  }
  if (!isChildFrame(frame)) throw new FrameProblem('a frame that the protocol does not know');
  return frame;
}

const POSTS_PER_FRAME = 4096;
const LEVELS = new Set<unknown>(['debug', 'info', 'warn', 'error']);

type Raw = Record<string, unknown>;

export function isChildFrame(frame: unknown): frame is ChildFrame {
  if (!isObject(frame)) return false;
  switch (frame.t) {
    case 'slice':
    case 'timeout':
      return has(frame, 3) && isWhole(frame.cpuUs) && arePosts(frame.posts);
    case 'posts':
      return has(frame, 2) && arePosts(frame.posts);
    case 'late':
      return has(frame, 2) && isText(frame.message, 600);
    case 'ready':
      return has(frame, 1);
    case 'loaded':
      return has(frame, 3) && isWhole(frame.cpuUs) && Array.isArray(frame.handlers) && frame.handlers.length >= 1 && frame.handlers.length <= 32 && frame.handlers.every((name) => isText(name, 40));
    case 'load-failed':
      return has(frame, 3) && isWhole(frame.cpuUs) && isText(frame.reason, 600);
    case 'fatal':
      return has(frame, 3) && (frame.cause === 'memory' || frame.cause === 'crash') && isText(frame.reason, 600);
    default:
      return false;
  }
}

const arePosts = (posts: unknown): boolean => Array.isArray(posts) && posts.length <= POSTS_PER_FRAME && posts.every(isPost);

function isPost(post: unknown): post is Post {
  if (!isObject(post) || !isWhole(post.call)) return false;
  switch (post.t) {
    case 'result':
      return has(post, 4) && (post.ok === true ? Object.hasOwn(post, 'value') : post.ok === false && isSandboxError(post.error));
    case 'request':
      return has(post, 5) && isWhole(post.request) && isText(post.op, 100) && Object.hasOwn(post, 'args');
    case 'log':
      return (
        has(post, 4 + Number(post.fields !== undefined) + Number(post.dropped !== undefined)) && LEVELS.has(post.level) && isText(post.text, BOUNDS.logLineBytes) &&
        (post.fields === undefined || isObject(post.fields)) && (post.dropped === undefined || (isWhole(post.dropped) && post.dropped >= 1))
      );
    default:
      return false;
  }
}

const isSandboxError = (error: unknown): boolean =>
  isObject(error) && has(error, 2 + Number(error.code !== undefined) + Number(error.retry !== undefined)) && isText(error.name, 100) && isText(error.message, 500) &&
  (error.code === undefined || isText(error.code, 100)) && (error.retry === undefined || error.retry === false);

const isObject = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** Counted in UTF-16 units, as the isolate cuts; JSON Schema would count a pair as one. */
const isText = (value: unknown, most: number): value is string => typeof value === 'string' && value.length <= most;

/** Objects are closed: each property is checked by name, so a count finds any that is not known. */
function has(value: Raw, properties: number): boolean {
  let count = 0;
  for (const _ in value) count += 1;
  return count === properties;
}

/** Whether a value nests at most `levels` deep; what passes can be walked and written out without running out of stack. */
export function isShallow(value: unknown, levels: number = BOUNDS.valueDepth): boolean {
  if (Array.isArray(value)) {
    if (levels === 0) return false;
    for (const each of value) if (!isShallow(each, levels - 1)) return false;
  } else if (isObject(value)) {
    if (levels === 0) return false;
    for (const key in value) if (!isShallow(value[key], levels - 1)) return false;
  }
  return true;
}
