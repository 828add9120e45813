// Every default bound of the host in one table. Operators adjust downward freely, upward with a warning.

/** Sizes in bytes, times in milliseconds, counts otherwise. */
export const BOUNDS = {
  frameFromChildBytes: 1024 * 1024,
  frameToChildBytes: 16 * 1024 * 1024,
  resultBytes: 512 * 1024,
  messageListItems: 100,
  messageListBytes: 128 * 1024,
  messageTextBytes: 64 * 1024,
  repliesPerMessage: 16,
  messagesPerReceive: 64,
  actionsPerCall: 512,
  /** Characters of a command's name, and UTF-16 units of what follows it. */
  commandName: 40,
  commandArguments: 16 * 1024,
  /** Commands of the host that wait beside the lane of one session. */
  commandsWaiting: 64,
  /** By which one instance may be called. */
  ownNames: 16,
  hostCallsPerCall: 64,
  hostCallsPerProcess: 256,
  hostCallBytes: 64 * 1024 + 4096,
  hostCallsTotalPerCall: 2000,
  /** Messages sent by one call, the tools it calls and the gates that judge what it sends included. */
  sendsPerCall: 16,
  /** Of an instance, when its grant names no quota. */
  sendsPerMinute: 6000,
  /** Messages that plugins send because of messages: at most so many in a row. */
  messageHops: 4,
  postsPerSlice: 512,
  unknownFrames: 16,
  callsWaitingPerInstance: 1024,
  valueDepth: 64,
  logLinesPerSecond: 100,
  logLinesPerSlice: 100,
  logLineBytes: 2048,
  ingressBodyBytes: 256 * 1024,
  packageBytes: 16 * 1024 * 1024,
  packageFiles: 1000,
  manifestBytes: 64 * 1024,
  jsonDepth: 8,
  messageJsonDepth: 16,
  kvKeyBytes: 512,
  kvValueBytes: 64 * 1024,
  sleepMinMs: 10,
  sleepMaxMs: 10_000,
  /** A message that is too long for its channel leaves in so many pieces at most. */
  piecesPerDelivery: 500,
  /** Pieces of a reply that is still being written: no two frames of a conversation sooner after each other, so much text waiting for the next, so much in all. */
  streamFrameMs: 50,
  streamWaitingBytes: 16 * 1024,
  streamBytes: 64 * 1024,
  dedupeWindowMs: 7 * 24 * 3600 * 1000,
  laneDepth: 1000,
  /** What an operator may raise the depth of a lane to. */
  laneDepthMost: 10_000,
  /** Messages that one run takes as one. */
  collectMessages: 100,
  /** Times that a run of one lane is interrupted before it may end. */
  interruptsInARow: 5,
  /** So many times its debounce a message waits for others at most. */
  debounceTimes: 10,
  /** Dropped messages that the summary of a run quotes, and characters of each. */
  summaryMessages: 20,
  summaryCharacters: 80,
  senderPerSecond: 200,
  senderBurst: 400,
  heldMessages: 10_000,
  heldBytes: 64 * 1024 * 1024,
  heldMs: 24 * 3600 * 1000,
  /** Where a session or a person was seen last: good for so long, so many places of each, so many sessions and people. */
  routeMs: 30 * 24 * 3600 * 1000,
  routesPerTarget: 8,
  routeTargets: 100_000,
  /** Places that channels tell of, and who speaks there: so many, for so long after the last word, seen no oftener than once in so long. */
  rooms: 100_000,
  participantsPerRoom: 500,
  roomMs: 90 * 24 * 3600 * 1000,
  seenEveryMs: 3600 * 1000,
  toolFailureText: 200,
  fetchUrlBytes: 8192,
  fetchHeaders: 64,
  fetchHeaderBytes: 8192,
  /** What a channel's request action may carry: a message of full length, escaped as JSON. `ctx.http.fetch` is held to hostCallBytes besides. */
  fetchBodyBytes: 512 * 1024,
  /** As plugin code sees it: decompressed. */
  fetchResponseBytes: 256 * 1024,
  fetchResponseHeaderBytes: 16 * 1024,
  /** Everything a server may send for one answer: framing, trailers and interim answers included. */
  fetchWireBytes: 1024 * 1024,
  fetchInterimAnswers: 8,
  fetchRedirects: 3,
  /** Name, TCP and TLS together. */
  fetchConnectMs: 3000,
  fetchTotalMs: 10_000,
  /** A fetch that fails does so no sooner, so that its time says little of why. */
  fetchFailureMs: 250,
  /** Per instance, as all that follow. */
  fetchesAtOnce: 4,
  fetchesWaiting: 256,
  fetchWaitMs: 10_000,
  /** When the grant names no quota. */
  fetchesPerMinute: 6000,
  /** A TLS handshake costs the host about 1.3 ms of its main thread; a kept connection 0.02. */
  fetchConnectsPerSecond: 20,
  fetchConnectBurst: 40,
  fetchIdleMs: 4000,
  /** The most that policy may let one file of a message have; it is looked through in memory. */
  mediaBytes: 32 * 1024 * 1024,
  /** Of all files that are kept, unless host.json says otherwise. */
  mediaTotalBytes: 10 * 1024 ** 3,
  /** Files of one message together: so long its source waits for its answer. And one of them, once its turn has come. */
  mediaIntakeMs: 25_000,
  mediaFetchMs: 20_000,
  /** A signed address of a stored file is valid for at least the one, and made anew after the other. */
  mediaLinkLeastMs: 3600 * 1000,
  mediaLinkMs: 6 * 3600 * 1000,
  /** Files that are being read for whoever has their address. */
  mediaReadsAtOnce: 16,
  /** Of one instance: so many refusals within a minute, or leaked secrets within an hour, end in quarantine. */
  refusalsPerMinute: 100,
  leaksPerHour: 10,
  /** Of one evidence bundle: facts and refusals each, log lines, characters of one text. */
  evidenceFacts: 50,
  evidenceLogLines: 30,
  evidenceTextLength: 1000,
  /** Of all bundles together; beyond it the oldest go, but for the last of each instance that is still stopped. */
  evidenceFiles: 500,
  evidenceBytes: 64 * 1024 * 1024,
  lanesInFlight: 256,
  deliveriesInFlight: 512,
  deliveriesInFlightPerInstance: 64,
  offersPerInstance: 128,
  socketsPerInstance: 1000,
  socketsPerConversation: 8,
  socketsPerAddress: 250,
  /** Requests to be let in: of one instance at once, the life of a code, codes told within a minute, and how long a refusal is remembered. */
  pairingPending: 3,
  pairingCodeMs: 3600 * 1000,
  pairingCodesPerMinute: 10,
  pairingRefusedMs: 30 * 24 * 3600 * 1000,
  pluginWaitMs: 2000,
  loadMs: 5000,
  storeRowBytes: 8 * 1024 * 1024,
} as const;

/** What a manifest may ask for when it says nothing, and the most it may ask for. */
export const LIMITS = {
  heapMb: { default: 32, least: 8, most: 512 },
  cpuMsPerCall: { default: 50, least: 1, most: 5000 },
  wallMsPerCall: { default: 2000, least: 10, most: 60_000 },
  concurrency: { default: 64, least: 1, most: 256 },
} as const;
