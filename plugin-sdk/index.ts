// Everything a plugin imports from '@gatehouse/plugin-sdk', in the order a new author meets it.

// One of these per plugin, called once at the top level of src/plugin.ts.
export { defineChannel, defineModeration, defineSkill, defineTool } from './define.ts';

// What handlers are given and what they answer with.
export type { PluginContext } from './context.ts';
export type { Direction, Message, Reply, RespondResult, Room, Sender, Session, StageRecord } from '../schemas/message.ts';
export type { LinkedBlob, MediaBlock, MediaContact, MediaLocation, MediaReference, StoredBlob } from '../schemas/media.ts';
export type { Decision, GateMark } from '../schemas/message.ts';
export type { Action, ChannelRequest, ConversationItem, Delivery, HttpResponse, InboundMessage, ReceiveResult, SendResult } from '../schemas/message.ts';

// Failing with a code, and telling why a host call failed.
export { hasCode, PluginError, type HostErrorCode, type PluginErrorOptions } from './plugin-error.ts';

// Pure helpers for what the sandbox leaves out: it has no URL, URLSearchParams, TextEncoder, atob or Buffer.
export { formatQuery, parseQuery, parseUrl, type ParsedUrl } from './url.ts';
export { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './base64.ts';
export { decodeUtf8, encodeUtf8, utf8Length } from './utf8.ts';

// The host's bounds, so that a plugin can refuse early and in its own words.
export { BOUNDS } from '../schemas/bounds.ts';

// Less often needed: the parts of the types above. `HandlerInput<'edit'>` and `HandlerOutput<'edit'>` are what a channel's handler of that name takes and gives.
export type { Ability } from '../schemas/abilities.ts';
export type { HandlerInput, HandlerOutput } from '../schemas/channel.ts';
export type { ChannelHandlers, ChannelPlugin, EvaluateInput, ModerationHandlers, ModerationPlugin, Plugin, RespondInput, SkillHandlers, SkillPlugin, ToolHandlers, ToolPlugin } from './define.ts';
export type { FetchInit, FetchResponse, HttpClient, JsonObject, JsonValue, KvClient, Logger, MessageClient, Page, ToolClient } from './context.ts';
