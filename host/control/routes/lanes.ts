// Lanes: what waits and runs, session by session; how a session's messages wait, and the end of a run.
import { LaneInterrupted, LaneModeBody, LaneState, LaneModeView, LaneView } from '../../../schemas/control.ts';
import { text } from '../../../schemas/closed.ts';
import { sortBy } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { withBody, type ApiRoute } from './api.ts';
import { listRoute } from './listing.ts';

export const laneRoutes = ({ lanes }: Host): readonly ApiRoute[] => [
  listRoute({
    id: 'listLanes', path: '/lanes', scope: 'messages:read',
    summary: 'Lanes that hold something, by session key.',
    item: LaneView,
    query: {
      instance: text(64, { description: 'Only in places of this channel; a session of a person over several channels is in none.' }),
      conversation: text(256, { description: 'Only in this conversation.' }),
      state: { ...LaneState, description: 'Only those that stand so.' },
      sort: sortBy('session', '-session', 'depth', '-depth'),
    },
    run: (query) => lanes.list(query),
  }),
  {
    id: 'getLane', method: 'GET', path: '/lanes/:key', scope: 'messages:read', errors: ['LANE_NOT_FOUND'], tagged: { aside: ['depth', 'runningSince', 'nextTryAt'] },
    summary: 'The lane of one session, while it holds something.',
    answer: LaneView,
    run: ({ params }) => lanes.show(params['key'] ?? ''),
  },
  withBody({
    id: 'setLaneMode', method: 'POST', path: '/lanes/:key/mode', scope: 'messages:write', guards: 'getLane',
    summary: 'How the messages of this session wait, from the next run on; null goes back to what the policy says.',
    body: LaneModeBody,
    answer: LaneModeView,
    run: ({ params, body, actor }) => lanes.setMode(params['key'] ?? '', body.mode, actor),
  }),
  {
    id: 'interruptLane', method: 'POST', path: '/lanes/:key/interrupt', scope: 'messages:write', guards: 'getLane',
    summary: 'End the run of this session without an answer; what waits behind it goes on.',
    answer: LaneInterrupted,
    run: ({ params, actor }) => lanes.interrupt(params['key'] ?? '', actor),
  },
];
