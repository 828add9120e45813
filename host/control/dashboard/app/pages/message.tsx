// One message's walk: each stage with what it decided and how long it took, what plugins cost, what was answered and how that was delivered.
import type { DeliveryView, MessageDetail, MessageView } from '../../../../../schemas/control.ts';
import type { StageRecord } from '../../../../../schemas/message.ts';
import { segment } from '../core/api.ts';
import { useApi, useMay } from '../core/context.ts';
import { count, duration, moment } from '../core/format.ts';
import { to } from '../core/router.ts';
import { useResource } from '../core/use-resource.ts';
import { OutcomeBadge } from '../parts/badge.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Facts, Heading, Id, Panel, Refusal, Skeleton, Time } from '../parts/parts.tsx';
import { shortPlace } from './messages.tsx';

const BACK = { href: to('messages'), name: 'Messages' };
const SETTLED = new Set(['answered', 'unanswered', 'denied', 'delivered', 'dropped', 'dead-lettered']);

export function MessagePage({ id }: { readonly id: string }) {
  const api = useApi();
  const path = `/messages/${segment(id)}`;
  const first = useResource<MessageDetail>(api, path);
  const isOpen = first.value !== undefined && !SETTLED.has(first.value.outcome);
  const later = useResource<MessageDetail>(api, path, { enabled: isOpen, everyMs: 2000 });
  const message = later.value ?? first.value;
  if (!message) return <><Heading title="Message" back={BACK} />{first.error ? <Refusal error={first.error} onRetry={first.reload} /> : <div class="panel"><div class="body"><Skeleton lines={6} /></div></div>}</>;
  return (
    <>
      <Heading title={message.direction === 'inbound' ? 'Message' : 'Reply'} back={BACK} about={<span class="row"><OutcomeBadge outcome={message.outcome} /><span>{message.instance}</span><Time at={message.at} /></span>} />
      <div class="columns">
        <div class="stack">
          {message.text ? <p class="quote">{message.text}</p> : null}
          <Panel title="Walk" hint={totalOf(message.stages)}>{message.stages && message.stages.length > 0 ? <Walk stages={message.stages} /> : <p class="muted">No stage has worked on it yet.</p>}</Panel>
        </div>
        <div class="stack">
          <About message={message} />
          <Panel title="Costs" hint="replies included">{message.costs.length === 0 ? <p class="muted">No plugin worked on it.</p> : <Facts of={message.costs.map(({ instance, calls, wallMs, cpuMs }) => [instance, `${duration(cpuMs)} CPU, ${duration(wallMs)} in ${count(calls)} ${calls === 1 ? 'call' : 'calls'}`])} />}</Panel>
          {message.direction === 'inbound' ? <Replies replies={message.replies ?? []} /> : <Delivery id={id} />}
        </div>
      </div>
    </>
  );
}

const totalOf = (stages: readonly StageRecord[] = []): string => duration(stages.reduce((sum, { durationMs }) => sum + durationMs, 0));

function toneOf(decision: string): readonly ['good' | 'warn' | 'bad', IconName] {
  if (/den|refus|fail|error|reject|dead|lost|g[ai]ve-up/.test(decision)) return ['bad', 'cross'];
  if (/flag|modif|held|hold|late|retry|bypass|wait|drop/.test(decision)) return ['warn', 'warn'];
  return ['good', 'check'];
}

export function Walk({ stages }: { readonly stages: readonly StageRecord[] }) {
  const most = Math.max(0.001, ...stages.map(({ durationMs }) => durationMs));
  return (
    <ol class="walk">
      {stages.map(({ stage, decision, reason, durationMs, instance, cpuUs }, index) => {
        const [tone, icon] = toneOf(decision);
        return (
          <li key={index}>
            <span class={`mark ${tone}`}><Icon name={icon} /></span>
            <div class="what"><b>{stage}</b> {decision}{instance ? <> · <a href={to('plugins', instance)}>{instance}</a></> : null}{reason ? <p>{reason}</p> : null}<div class="bar" style={{ width: `${(durationMs / most) * 100}%` }} /></div>
            <span class="took">{duration(durationMs)}{cpuUs === undefined ? null : <><br /><small>{duration(cpuUs / 1000)} CPU</small></>}</span>
          </li>
        );
      })}
    </ol>
  );
}

function About({ message: { id, conversation, sender, senderVerified, code, flags = [], inReplyTo, thread, account, hops, collected, at, remoteIds = [] } }: { readonly message: MessageView }) {
  return (
    <Panel title="Message">
      <Facts of={[
        ['Id', <Id key="id" text={id} label="Copy the id" />], ['Arrived', moment(at)], ['Conversation', <code key="c">{shortPlace(conversation)}</code>],
        ['Sender', `${sender.name ?? shortPlace(sender.id)}${senderVerified ? ', verified' : ''}`], ['Code', code ? <code key="code">{code}</code> : undefined],
        ['Flags', flags.length > 0 ? <span key="f" class="row">{flags.map((each) => <span key={each} class="chip">{each}</span>)}</span> : undefined],
        ['Answers', inReplyTo], ['Thread', thread], ['Account', account], ['Hops', hops], ['Stands for', collected ? `${collected} messages` : undefined], ['At the remote', remoteIds.join(', ')],
      ]} />
    </Panel>
  );
}

function Replies({ replies }: { readonly replies: readonly MessageView[] }) {
  return (
    <Panel title="Replies" hint={String(replies.length)}>
      {replies.length === 0 ? <p class="muted">Nothing was said to it.</p> : (
        <ul class="grants">{replies.map(({ id, text, outcome, stages = [] }) => <li key={id}><div class="row"><OutcomeBadge outcome={outcome} /><a href={to('messages', id)}>Its own walk</a><span class="muted">{stages.length} stages</span></div><p class="quote">{text}</p></li>)}</ul>
      )}
    </Panel>
  );
}

function Delivery({ id }: { readonly id: string }) {
  const { value, error } = useResource<DeliveryView>(useApi(), `/deliveries/${segment(id)}`, { enabled: useMay()('messages:read') });
  if (error) return error.status === 404 ? null : <Refusal error={error} />;
  return (
    <Panel title="Delivery">
      {value ? <Facts of={[['State', value.state], ['Tries', value.attempts], ['Pieces', value.pieces ? `${value.pieces.sent} of ${value.pieces.of} sent` : undefined], ['Failed as', value.class], ['Problem', value.problem], ['Next try', value.nextTryAt ? <Time key="n" at={value.nextTryAt} /> : undefined]]} /> : <Skeleton />}
    </Panel>
  );
}

