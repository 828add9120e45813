// Lanes: what waits and runs, session by session; how a session's messages wait, and the end of a run.
import { LaneInterrupted, LaneModeBody, LaneModeView, LaneView } from '../../../schemas/control.ts';
import { PAGE } from '../../../schemas/query.ts';
import type { Host } from '../../host.ts';
import { asPage, pageSchema, withBody, type ApiRoute } from './api.ts';
import { withQuery } from './query.ts';

export const laneRoutes = ({ lanes }: Host): readonly ApiRoute[] => [
  withQuery({
    id: 'listLanes', method: 'GET', path: '/lanes', scope: 'messages:read',
    summary: 'Lanes that hold something, by session key.',
    query: PAGE,
    answer: pageSchema(LaneView),
    run: async ({ query }) => asPage(await lanes.list(query)),
  }),
  withBody({
    id: 'setLaneMode', method: 'POST', path: '/lanes/:key/mode', scope: 'messages:write',
    summary: 'How the messages of this session wait, from the next run on; null goes back to what the policy says.',
    body: LaneModeBody,
    answer: LaneModeView,
    run: ({ params, body, actor }) => lanes.setMode(params['key'] ?? '', body.mode, actor),
  }),
  {
    id: 'interruptLane', method: 'POST', path: '/lanes/:key/interrupt', scope: 'messages:write',
    summary: 'End the run of this session without an answer; what waits behind it goes on.',
    answer: LaneInterrupted,
    run: ({ params, actor }) => lanes.interrupt(params['key'] ?? '', actor),
  },
];
