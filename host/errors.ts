// The one table of errors. Codes are stable: never renamed, never reused; `docs/errors.md` is generated from this table and held to it by a test.

/** Whose mistake it is: decides who is told and who must act. */
export type Fault = 'plugin' | 'operator' | 'remote' | 'host';

export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface ErrorRow {
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly httpStatus: number;
  /** 1 failure · 2 usage · 3 refused by policy · 4 host not reachable. */
  readonly exitCode: 1 | 2 | 3 | 4;
  /** Template: `{name}` is replaced by the field of that name. Says what and which value. */
  readonly message: string;
  /** What to do about it. Same template rules. */
  readonly fix: string;
}

const row = (fault: Fault, httpStatus: number, exitCode: ErrorRow['exitCode'], message: string, fix: string, retryable = false): ErrorRow => ({ fault, retryable, httpStatus, exitCode, message, fix });

export const ERRORS = {
  // Input
  JSON_INVALID: row('operator', 400, 2, '{source} is not valid JSON at line {line}, column {column}: {problem}.', 'Correct the file at that position.'),
  JSON_DUPLICATE_KEY: row('operator', 400, 2, "{source} names the key '{key}' twice (line {line}, column {column}).", 'Keep one of the two.'),
  JSON_FORBIDDEN_KEY: row('operator', 400, 2, "{source} uses the key '{key}', which is never allowed (line {line}, column {column}).", 'Remove it.'),
  JSON_TOO_DEEP: row('operator', 400, 2, '{source} nests deeper than {limit} levels (line {line}, column {column}).', 'Flatten the document.'),
  JSON_TOO_LARGE: row('operator', 413, 2, '{source} has {size} bytes; the limit is {limit}.', 'Make it smaller.'),
  JSON_ENCODING: row('operator', 400, 2, '{source} is not valid UTF-8 at line {line}, column {column} (byte {offset}): {problem}.', 'Save it as UTF-8 without a byte order mark.'),
  SCHEMA_UNKNOWN_KEY: row('operator', 400, 2, "{source} has an unknown key '{key}' at {path} (line {line}, column {column}).{nearest}", 'Remove the key or correct its spelling.'),
  SCHEMA_INVALID: row('operator', 400, 2, '{source} is wrong at {path} (line {line}, column {column}): {problem}.', 'Correct the value; the published schema lists what is allowed.'),
  USAGE: row('operator', 400, 2, '{problem}.', 'See `gatehouse help`, or a command with --help.'),
  FILE_UNREADABLE: row('operator', 400, 2, 'The file {file} cannot be read: {problem}.', 'Name a file that exists and that you may read.'),
  FILE_EXISTS: row('operator', 409, 2, 'There is already a file {file}.', 'Choose another place, or move it away first.'),
  SYSTEM_REFUSED: row('operator', 500, 1, 'The system refused {call} of {path}: {problem}.', 'Check the path, who may read and write there, and the space left.'),
  REPAIR_IMPOSSIBLE: row('operator', 409, 1, '{path} was left as it is: {problem}.', 'Look at the file, and audit again.'),
  FOLDER_NOT_EMPTY: row('operator', 409, 2, "The folder {folder} is not empty.", 'Choose a new folder.'),
  HOME_NOT_FOUND: row('operator', 400, 2, "No Gatehouse home: '{home}' holds no manifests/host.json.", 'Create one with `gatehouse init <dir>`, or name one with --home.'),
  CONFIG_OVERRIDE: row('operator', 400, 2, "The environment variable {name} is not usable: {problem}.", 'Correct or unset it.'),
  CONFIG_UNSAFE: row('operator', 400, 3, 'The configuration is unsafe: {problem}.', '{remedy}'),
  NOT_CONFIRMED: row('operator', 400, 2, '{question} needs an answer, and there is no terminal to ask on.', 'Pass --yes to agree.'),
  DECLINED: row('operator', 400, 1, "Nothing was changed: “{question}” was not answered with yes.", 'Run it again and answer yes, or pass --yes.'),
  HOST_UNREACHABLE: row('operator', 503, 4, 'No running host answers for {home} ({problem}).', 'Start it with `gatehouse start --home {home}`.'),
  REMOTE_UNREACHABLE: row('operator', 503, 4, 'No host answers at {address} ({problem}).', 'Check the address and the network. A certificate of your own authority is trusted through NODE_EXTRA_CA_CERTS.'),
  LISTEN_FAILED: row('operator', 500, 1, 'Cannot listen on {address}: {problem}.', 'Free the address, or choose another with --listen HOST:PORT.'),
  INTERNAL: row('host', 500, 1, 'An unexpected error happened inside the host: {problem}.', 'This is a defect in Gatehouse; report it with the log lines around it.'),

  // Store
  STORE_LOCKED: row('operator', 503, 1, 'The data directory {dir} is in use by process {pid}.', 'Stop that host first, or choose another directory with --data.'),
  STORE_VERSION: row('operator', 500, 1, 'The store in {dir} has schema version {found}; this host understands up to {known}.', 'Run the newer Gatehouse that wrote it. To stay with this one, put the copy from before its migration ({dir}.before-schema-…) in its place, or restore a backup from before; docs/ops/upgrade.md goes through it.'),
  STORE_ROW_TOO_LARGE: row('host', 500, 1, "A row of {size} bytes for table '{table}' exceeds {limit}.", 'This is a defect in Gatehouse; report it.'),
  STORE_KEY: row('host', 500, 1, "A key for table '{table}' is refused: {problem}.", 'This is a defect in Gatehouse; report it.'),
  STORE_FAILED: row('host', 503, 1, 'The store could not commit: {problem}.', 'Check free disk space and the health of the data directory.', true),
  STORE_MIGRATION: row('host', 500, 1, 'The store in {dir} could not be brought to schema {to} ({what}): {problem}.', 'The next start takes the step again from its beginning. To go back to the version before, put {copy} in its place{earlier}; docs/ops/upgrade.md goes through it.'),
  STORE_DAMAGED: row('operator', 503, 3, 'The store{where} is damaged: {problem}.', 'Nothing was changed in it. Move the data directory away, keep it, and bring the newest backup back with `gatehouse restore BACKUP --data-only`; docs/ops/runbooks/restore.md goes through it.'),
  STORE_UNWRITABLE: row('operator', 503, 1, 'Nothing can be written in {dir}: {problem}.', '{remedy}', true),
  STORE_CLOSED: row('host', 503, 1, 'The store is closed.', 'The host is stopping; try again when it runs.', true),

  // Transparency log
  AUDIT_BROKEN: row('operator', 500, 3, 'The transparency log is not as this host wrote it: {problem}.', 'Keep the data directory as evidence, and compare exports and tree heads you have with it. To go on with a new log, choose another directory with --data.'),
  AUDIT_BUSY: row('host', 503, 1, 'The transparency log has {waiting} entries to write, and takes no more for now.', 'Try again in a moment.', true),
  AUDIT_ENTRY_NOT_FOUND: row('operator', 404, 1, 'The transparency log has no entry {index}: it holds {size}.', 'List them with `gatehouse audit list`.'),

  // Packages, signatures, trust
  PACKAGE_NOT_FOUND: row('operator', 404, 3, "No package for '{plugin}' at {source}.", 'Build or copy the package there, or correct `source`.'),
  PACKAGE_OUTSIDE_HOME: row('operator', 400, 3, "The package of instance '{instance}' at {source} lies outside the home directory.", 'Copy the package into the home with `gatehouse plugins enable <package>`.'),
  PACKAGE_OTHER_PLUGIN: row('operator', 409, 3, "The package {source} is '{found}', but the enablement names '{plugin}'.", 'Correct `plugin` or `source` in the enablement.'),
  PACKAGE_INVALID: row('plugin', 400, 3, 'The package {source} is refused: {problem}.', 'Rebuild it with `gatehouse build` and `gatehouse pack`.'),
  PACKAGE_TOO_LARGE: row('plugin', 413, 3, 'The package {source} is too large: {problem}.', 'Leave out what the plugin does not need.'),
  MANIFEST_INVALID: row('plugin', 400, 3, 'The manifest {source} is wrong: {problem}', 'Correct plugin.json and sign the package again.'),
  PLUGIN_SCHEMA: row('plugin', 400, 3, 'The JSON Schema in {source} is refused at {path}: {problem}.', 'Simplify the schema; docs/write-a-plugin.md lists what the host supports.'),
  BUILD_FAILED: row('plugin', 400, 1, 'The plugin in {source} cannot be built: {problem}.', 'Correct it and run `gatehouse build` again.'),
  FIRST_PARTY_UNKNOWN: row('operator', 404, 2, "There is no first-party plugin '{plugin}'; there are {known}.", 'Name one of them, or a package.'),
  HOST_API_MISMATCH: row('plugin', 400, 3, "'{plugin}' needs hostApi {range}; this host offers {offered}.", 'Use a version of the plugin, or of Gatehouse, that fits.'),
  RELEASE_UNSIGNED: row('plugin', 400, 3, 'The package {source} has no plugin.dsse.json.', 'Sign it with `gatehouse sign <package> --key FILE`.'),
  RELEASE_ENVELOPE: row('plugin', 400, 3, 'The signature envelope of {source} is refused: {problem}.', 'Sign the package again with `gatehouse sign`.'),
  RELEASE_SIGNATURE: row('plugin', 400, 3, "The signature of '{plugin}' by {keyid} does not verify: {problem}.", 'The package was changed after signing, or signed with another key. Obtain it again from its publisher.'),
  SIGNATURE_DISPUTED: row('host', 400, 3, "The signature of '{plugin}' by {keyid} is good for {accepting} and not for {refusing}.", 'Do not use the package, and report it: one of the two implementations of Ed25519 is at fault.'),
  RELEASE_FILES: row('plugin', 400, 3, 'The package {source} does not hold exactly the files its release names: {problem}.', 'Obtain the package again; do not edit files after signing.'),
  RELEASE_IDENTITY: row('plugin', 400, 3, 'The release of {source} speaks of {claimed}, its manifest of {found}.', 'Sign the package again.'),
  RELEASE_EXPIRED: row('plugin', 400, 3, "The release of '{plugin}' expired at {expiresAt}.", 'Obtain a newer release.'),
  KEY_UNTRUSTED: row('operator', 403, 3, "'{plugin}' is signed by {keyid}, which no trust record of publisher '{publisher}' names: {known}.", 'If you trust that key, add its record with `gatehouse trust add FILE`.'),
  KEY_PREFIX: row('operator', 403, 3, "The key {keyid} of publisher '{publisher}' may not sign '{plugin}': its prefixes are {prefixes}.", 'A publisher signs only ids under its own prefixes.'),
  KEY_EXPIRED: row('operator', 403, 3, 'The key {keyid} is valid from {notBefore} to {notAfter}; that must hold both the day of issue, {issuedAt}, and today.', 'Obtain a release signed with a valid key.'),
  KEY_DEVELOPMENT: row('operator', 403, 3, "'{plugin}' is signed with the development key {keyid}, which profile '{profile}' (strict: {strict}) does not accept.", 'Use a release signed with a publisher key, or profile local without strict.'),
  KEY_REFUSED: row('operator', 400, 3, 'The public key {keyid} is refused: {problem}.', 'Generate a new key with `gatehouse keys generate`.'),
  KEY_FILE: row('operator', 400, 3, 'The key file {source} is refused: {problem}.', 'Use a file written by `gatehouse keys generate`.'),
  SIGN_PUBLISHER: row('operator', 403, 3, "'{plugin}' belongs to publisher '{publisher}', the key {keyid} to '{other}'.", "Sign with a key of '{publisher}', or correct the manifest. --force signs anyway; no host will accept it."),
  TRUST_OVERLAP: row('operator', 400, 3, "Two trust records claim overlapping prefixes '{prefix}' and '{other}' ({first}, {second}); both are refused.", 'Remove one of the records.'),
  TRUST_DEVELOPMENT: row('operator', 403, 3, "The record of '{publisher}' holds development keys.", 'Ask for a publisher key; for plugins in the making, add --development.'),
  TRUST_RECORD: row('operator', 400, 3, 'The trust record {source} is refused: {problem}.', 'Correct or remove it.'),
  REVOKED: row('operator', 403, 3, "'{plugin}' is revoked: {problem}.", 'Remove the enablement, or move to a release that is not revoked.'),
  PLUGIN_DENIED_BY_LIST: row('operator', 403, 3, "'{plugin}' may not run here: `trust.deny` names it ({entry}).", 'Remove the enablement; or, if it may run after all, the entry of manifests/host.json.'),
  PLUGIN_NOT_ALLOWED: row('operator', 403, 3, "'{plugin}' of publisher '{publisher}' may not run here: `trust.allow` names others, and not it.", 'If it may run, name its id, its publisher or its source in `trust.allow` of manifests/host.json.'),
  REVOCATION_LIST: row('operator', 400, 3, 'The signed list of revocations {source} is refused: {problem}.', 'Fetch the current list from its issuer. What was revoked before stays revoked.'),
  REVOCATIONS_STALE: row('operator', 409, 3, "No current list of revocations of '{issuer}' is here: {problem}.", "Fetch its current list to manifests/trust/revocations.dsse.json, or remove manifests/trust/revokers/{issuer}.json if it counts no more."),
  REVOCATION_VANISHED: row('operator', 409, 3, '{count} revoked before and on no list any more: {what}. It stays revoked.', 'Lift it with `gatehouse trust unrevoke … --reason TEXT` if that is meant, or put it back with `gatehouse trust revoke`.'),
  REVOCATION_NOT_FOUND: row('operator', 404, 2, 'Nothing of the name {what} is revoked here.', '`gatehouse trust list` shows what is.'),
  REVOCATION_SIGNED: row('operator', 409, 3, "{what} is on the signed list of '{issuer}', which only its issuer can change.", "Ask for a list without it, or remove manifests/trust/revokers/{issuer}.json and lift it then."),
  KEY_SUCCESSION: row('operator', 403, 3, 'The succession of keys in {source} is refused: {problem}.', 'Ask the publisher, and add the new key with `gatehouse trust add FILE` if you trust it.'),
  ROLLBACK: row('operator', 409, 3, "'{plugin}' {version} is older than {highest}, which instance '{instance}' already ran.", 'Install that version or a newer one, or set "allowRollback": true in the enablement, under manifests/plugins.'),
  SAME_VERSION_CHANGED: row('operator', 409, 3, "'{plugin}' {version} has digest {digest}, but this version was seen with {seen}.", 'A published version never changes. If it is yours: raise `version` in plugin.json, build and sign; else ask its publisher for a new version.'),
  DIGEST_MISMATCH: row('operator', 409, 3, "'{plugin}' has digest {digest}; the enablement pins {pinned}.", 'Install the pinned package, or review the new one and pin its digest.'),
  DIGEST_REQUIRED: row('operator', 400, 3, "The enablement of instance '{instance}' pins no digest, which strict demands.", 'Review the package, then add "digest": "{digest}" to the enablement.'),

  // Registry
  INSTANCE_COLLISION: row('operator', 409, 3, "Two enablements claim the instance '{instance}': {first} and {second}.", 'Give one of them another `instance`.'),
  PACKAGE_COLLISION: row('operator', 409, 3, "Two packages claim '{plugin}' {version} with different content: {first} and {second}.", 'Remove one of them.'),
  VERSION_UNSATISFIED: row('operator', 409, 3, "'{plugin}' {version} does not satisfy '{range}' asked for by {source}.", 'Install a fitting version or widen the range.'),
  REQUIREMENT_MISSING: row('operator', 409, 3, "'{plugin}' requires '{required}' {range}, and no enabled plugin provides it.", 'Enable a fitting version of it.'),
  GRANT_NOT_REQUESTED: row('operator', 400, 3, "The grant '{grant}' for instance '{instance}' is not asked for by '{plugin}'.", 'Remove it from the enablement, under manifests/plugins; `gatehouse plugins enable <package>` drops it too.'),
  GRANT_TOO_WIDE: row('operator', 400, 3, "The grant '{grant}' for instance '{instance}' is wider than the manifest asks: {problem}.", 'Narrow it to what the manifest requests.'),
  UI_FIRST_PARTY: row('plugin', 403, 3, "'{plugin}' asks for the capability 'ui', which only gatehouse.webchat, signed by publisher gatehouse, may have.", 'Use a version of the plugin that does not ask for it.'),
  LIMIT_RAISED: row('operator', 400, 3, "Instance '{instance}' is given {limit} {value}; its manifest asks for {asked}.", 'Nothing to do if that is intended; else remove it from `limits`.'),
  PLUGIN_CONFIG_INVALID: row('operator', 400, 3, "The config of instance '{instance}' does not fit the plugin's schema at {path}: {problem}.", 'Correct `config` in the enablement.'),
  SECRET_MISSING: row('operator', 400, 3, "Instance '{instance}' needs the secret '{handle}': {problem}.", 'Name it in the enablement: "secrets": { "{handle}": { "env": "NAME" } }.'),
  SECRET_UNUSABLE: row('operator', 400, 3, "The secret '{handle}' of instance '{instance}' cannot be used: {problem}.", 'Write it as one line of text, where the enablement says it is read.'),
  SECRET_SHORT: row('operator', 400, 3, "The secret '{handle}' of instance '{instance}' has {length} characters. It is used, but an answer that repeats it would not be withheld: that takes {least}.", 'Use a longer secret, 32 random characters for example.'),
  LOCK_MISSING: row('operator', 409, 3, "manifests/gatehouse.lock.json does not name instance '{instance}' ('{plugin}' {version}), and a strict host starts only what it names.", 'Review what would run, then run `gatehouse lock`.'),
  LOCK_MISMATCH: row('operator', 409, 3, "Instance '{instance}' is not as manifests/gatehouse.lock.json names it: {problem}.", 'If somebody meant that change, review it and run `gatehouse lock`; else put back what was locked.'),
  LOCK_REFUSED: row('operator', 409, 3, 'No lock is made of a home in which something cannot run: {problem}.', 'Put it right or disable it, then run `gatehouse lock` again.'),
  RELEASE_TOO_FRESH: row('operator', 409, 3, "'{plugin}' {version} is held back until {until}: {why}, and a release must be known for {hours} h before it runs here.", 'Nothing needs doing: it runs from then on by itself. For an urgent fix, have a reviewer approve it with `gatehouse approve`.'),
  SCAN_BLOCKED: row('plugin', 403, 3, "'{plugin}' {version} does not run: the scanner blocks it, risk {risk}. {findings}", 'Read all of it with `gatehouse scan {instance}`, and ask its publisher. Nobody can approve this away.'),
  SCAN_WARNING: row('plugin', 403, 3, "The scanner warns of '{plugin}' {version}, risk {risk}. {findings}", 'Read all of it with `gatehouse scan {instance}`. If reviewers agree, they approve it with `gatehouse approve`; trust.scan.onWarn in manifests/host.json says whether they must.'),
  SCAN_PENDING: row('host', 409, 3, "'{plugin}' {version} is being looked through; it is big.", 'Nothing needs doing: it is taken up when that has ended.'),
  SCAN_IMPOSSIBLE: row('operator', 409, 3, "There is nothing of instance '{instance}' to scan: {problem}", 'Correct that first; a package that is not genuine is not worth a scan.'),
  APPROVAL_MISSING: row('operator', 403, 3, "Instance '{instance}' needs {approvals} and has {found}{detail}.", 'A reviewer looks at it and runs `gatehouse approve {instance} --reviewer NAME --key FILE --note TEXT`.'),
  APPROVAL_REJECTED: row('operator', 403, 3, "Instance '{instance}' is rejected by {reviewer}: {note}", 'Put right what the reviewer names. A rejection ends when that reviewer approves, or with `gatehouse approvals revoke {id} --reason TEXT`.'),
  APPROVAL_REFUSED: row('operator', 400, 3, 'The approval {source} does not count: {problem}.', 'Have the reviewer make it again with `gatehouse approve`, or remove the file.'),
  APPROVAL_UNUSED: row('operator', 409, 3, 'The approval {source} by {reviewer} is not used: {problem}.', 'Remove the file once nobody needs it as a record.'),
  APPROVAL_NOT_FOUND: row('operator', 404, 1, "There is no approval '{id}'.", 'List them with `gatehouse approvals list`.'),
  PASSPHRASE_MISSING: row('operator', 400, 2, 'The passphrase of the key file {file} is needed: {problem}.', 'Pass --passphrase-file FILE or --passphrase-env NAME, or run it on a terminal.'),
  PASSPHRASE_WEAK: row('operator', 400, 2, 'The passphrase is too short: {length} characters, and {least} are the least.', 'Choose a longer one; several words are easy to remember.'),
  KEY_SEALED: row('operator', 403, 3, 'The key file {file} does not open: the passphrase is wrong, or the file was changed.', 'Try again with the right passphrase, or take the file from a backup.'),
  SIGNER_FAILED: row('operator', 502, 3, 'The signer {command} gave no signature that could be used: {problem}.', 'It gets the bytes to sign on stdin and prints one base64 signature of 64 bytes; see docs/operate.md.'),
  COMMAND_COLLISION: row('operator', 409, 3, "'{instance}' does not get the command '/{command}': {owner} has it.", 'Nothing to do if that is intended; else disable one of them, or let the other be asked first with a lower `order`.'),
  TOOL_COLLISION: row('operator', 409, 3, "The tool '{tool}' is offered by two instances: '{first}' and '{second}'.", 'Disable one of them.'),
  PLUGIN_QUARANTINED: row('plugin', 503, 3, "Instance '{instance}' is in quarantine since {at}: {reason}.", 'Review it, then run `gatehouse plugins release {instance} --reason TEXT`.'),
  NOT_IN_QUARANTINE: row('operator', 404, 1, "Instance '{instance}' is not in quarantine; its state is '{state}'.", 'List them with `gatehouse quarantine list`; `gatehouse quarantine evidence {instance}` shows what was kept of an earlier time.'),
  EVIDENCE_MISSING: row('operator', 404, 1, "There is no evidence of '{instance}': {problem}.", 'It was moved, its retention is over, or the disk was full when it was to be written; the moves in `gatehouse quarantine show {instance}` say what is known.'),
  EVIDENCE_CHANGED: row('operator', 409, 3, "The evidence of '{instance}' is not what was written: {expected} was recorded, {file} has {actual}.", 'Somebody changed it. Do not rely on it; look for a copy, and for who can write to the data directory.'),
  PLUGIN_DRIFT: row('plugin', 503, 3, "The package of instance '{instance}' changed on disk while it ran ({expected} ran, {actual} is there): {problem}", 'Nothing of it was run. Find out who changed it and put back what its publisher signed; then run `gatehouse plugins release {instance} --reason TEXT`.'),
  SIGNER_CHANGED: row('operator', 409, 3, "Instance '{instance}' ran releases signed by {before}, and '{plugin}' {version} is signed by {after}{changes}.", 'Compare the packages with `gatehouse diff`. If its publisher meant it, agree with `gatehouse plugins enable {instance}`, or have a reviewer approve it; else put back the package that ran.'),
  ROLLBACK_HELD: row('operator', 409, 3, "Instance '{instance}' runs {running}, and its files lead back to {version}, so that it goes on as it was{changes}.", 'Compare the packages with `gatehouse diff`, then agree with `gatehouse plugins enable {instance}`, or let the enablement name what runs. A restart agrees, too: the enablement allows it.'),
  GRANTS_WIDENED: row('operator', 409, 3, "Instance '{instance}' would be given more than it has, so that it goes on as it was: {changes}.", 'Agree with `gatehouse plugins enable {instance}`, or take it out of manifests/plugins again. A restart agrees, too.'),
  UPGRADE_ROLLED_BACK: row('plugin', 503, 3, "Instance '{instance}' goes on as it was: '{plugin}' {version} did not pass its self test with these settings: {problem}", 'Correct the package or its settings; `gatehouse plugins enable {instance}` tries the same again.'),
  PLUGIN_NOT_FOUND: row('operator', 404, 1, "There is no instance '{instance}'.", 'List them with `gatehouse plugins list`.'),
  INSTANCE_TAKEN: row('operator', 409, 3, "The instance '{instance}' is '{plugin}' already ({file}).", 'Choose another name with --instance.'),
  ENABLEMENT_UNREADABLE: row('operator', 400, 2, "No readable enablement is for '{instance}', and one cannot be read: {problem}", 'Correct that file first; `gatehouse check` lists every finding.'),
  TRANSITION_ILLEGAL: row('operator', 409, 3, "Instance '{instance}' cannot go from '{from}' to '{to}'.", 'See the states in docs/operate.md.'),
  PLUGIN_NOT_READY: row('plugin', 503, 3, "Instance '{instance}' was not active by the boot deadline of {deadlineMs} ms (state '{state}').", 'Look at its log lines; raise boot.deadlineMs if it is merely slow.'),

  WATCH_FAILED: row('host', 500, 1, 'Changes of {home} are not all noticed: {problem}.', 'Raise fs.inotify.max_user_watches, or restart the host; until then `gatehouse plugins reload` makes it look.'),

  // Sandbox and supervision
  SANDBOX_START_FAILED: row('host', 503, 1, "The sandbox for '{instance}' did not start: {problem}.", 'Run `gatehouse doctor`.', true),
  PLUGIN_LOAD_FAILED: row('plugin', 503, 3, "Plugin instance '{instance}' failed to load: {problem}.", 'This is a defect in the plugin; tell its author.'),
  PLUGIN_HANDLER_MISSING: row('plugin', 502, 3, "Plugin instance '{instance}' of kind '{kind}' registers no handler '{handler}'.", 'This is a defect in the plugin; tell its author.'),
  CHANNEL_ABILITY_MISMATCH: row('plugin', 502, 3, "The channel '{instance}' is not what its manifest says: {problem}.", 'This is a defect in the plugin; tell its author. What manifest and script agree on is used.'),
  CHANNEL_START_FAILED: row('remote', 503, 1, "The channel '{instance}' is not ready for traffic: {problem}.", 'Check whether the service it connects answers; it is tried again by itself.', true),
  CHANNEL_START_REFUSED: row('operator', 503, 3, "The channel '{instance}' may not begin: {problem}.", 'Correct its credentials or settings; then run `gatehouse plugins enable {instance}`.'),
  CHANNEL_UNHEALTHY: row('remote', 503, 1, "The channel '{instance}' says that it is not well: {problem}.", 'Check whether the service it connects answers; `gatehouse plugins show {instance}` tells since when.', true),
  CALL_FAILED: row('plugin', 502, 1, "'{handler}' of '{instance}' threw: {problem}.", 'This is a defect in the plugin; tell its author.'),
  CONFINEMENT_TOO_WEAK: row('operator', 503, 3, 'Sandboxes are confined by {level}, which is less than strict demands: {missing}.', 'Provide what is missing: {remedy}. `gatehouse doctor` shows what the machine says.'),
  CALL_TIMEOUT: row('plugin', 504, 1, "'{handler}' of '{instance}' did not finish within {limitMs} ms.", 'Raise limits.wallMsPerCall if the work is legitimate.', true),
  CALL_CPU: row('plugin', 504, 1, "'{handler}' of '{instance}' used {usedMs} ms of CPU; the limit is {limitMs}.", 'Raise limits.cpuMsPerCall if the work is legitimate.'),
  CALL_CANCELLED: row('host', 503, 1, "'{handler}' of '{instance}' was cancelled: {problem}.", 'Nothing to do: the work is tried again.', true),
  RESULT_TOO_LARGE: row('plugin', 502, 1, "'{handler}' of '{instance}' returned more than {limit} bytes.", 'Return less.'),
  RESULT_INVALID: row('plugin', 502, 1, "'{handler}' of '{instance}' returned something that is not a valid result at {path}: {problem}.", 'This is a defect in the plugin; tell its author.'),
  SANDBOX_DIED: row('plugin', 502, 1, "The sandbox of '{instance}' ended: {problem}.", 'It restarts by itself; three strikes in 60 minutes quarantine it.', true),
  SANDBOX_FRAME: row('plugin', 502, 1, "The sandbox of '{instance}' broke the frame protocol: {problem}.", 'It was ended. Treat the plugin as hostile until its author explains.'),
  INSTANCE_UNAVAILABLE: row('plugin', 503, 1, "Instance '{instance}' is not available (state '{state}').", 'See `gatehouse plugins show {instance}`.', true),
  INSTANCE_BUSY: row('plugin', 503, 1, "Instance '{instance}' has {depth} calls waiting.", 'Try again later.', true),

  // Broker
  CAPABILITY_UNKNOWN: row('plugin', 403, 3, "There is no capability '{capability}'.", 'See the capability list in docs/write-a-plugin.md.'),
  CAPABILITY_DENIED: row('plugin', 403, 3, "'{instance}' may not use {capability}{value}.", 'Ask for it in plugin.json; the operator grants it in manifests/plugins/{instance}.json, or with `gatehouse plugins enable <package> --grants requested`.'),
  CAPABILITY_ARGUMENT: row('plugin', 400, 3, "'{capability}' was called with a wrong argument at {path}: {problem}.", 'See the capability in docs/write-a-plugin.md.'),
  QUOTA_EXCEEDED: row('plugin', 429, 3, "'{instance}' has used up its quota for {capability}: {quota}.", 'Wait, or have the operator raise the quota in `grants`.', true),
  BUDGET_EXCEEDED: row('plugin', 429, 3, "'{instance}' may spend {most} {resource} {period} and has spent {spent}.", 'Wait for the next day (UTC), or raise `budgets` in the enablement, or `costs` in manifests/host.json; `gatehouse costs show {instance}` shows them.', true),
  EGRESS_DENIED: row('plugin', 403, 3, "'{instance}' may not fetch this: {problem}.", 'See “Fetching” in docs/write-a-plugin.md; operators except what is not public by egress.allow in manifests/host.json.'),
  EGRESS_FAILED: row('remote', 502, 1, "'{instance}' got no answer from {origin}.", 'Try again later; the host’s log says why at level debug.', true),
  EGRESS_TIMEOUT: row('remote', 504, 1, "'{instance}' got no whole answer from {origin} within {limitMs} ms.", 'Try again later, or ask for less.', true),
  EGRESS_TOO_LARGE: row('remote', 502, 1, 'The {what} of {origin} has more than {limit} bytes.', 'Ask for less, page by page if the service offers it.'),
  EGRESS_RESPONSE: row('remote', 502, 1, 'The answer of {origin} cannot be used: {problem}.', 'Tell those who run the service.'),
  EGRESS_BUSY: row('plugin', 503, 1, "'{instance}' fetches too much at once: {problem}.", 'Await one fetch before the next, and fetch again later.', true),
  SECRET_LEAK: row('remote', 502, 3, "The answer of {origin} to '{instance}' holds the secret '{handle}' in its {where}, and is withheld.", 'Operators: find out why that server sends secrets back; change the secret if anybody else could read the answer.'),
  KV_QUOTA: row('plugin', 429, 3, "'{instance}' holds {used} of {quotaBytes} bytes in kv; writing {size} more does not fit.", 'Delete what is not needed, or have the operator raise quotaBytes.'),
  MESSAGE_TARGET: row('plugin', 404, 3, "'{instance}' cannot be written to: {problem}.", 'Name an enabled channel instance; the operator lists them with `gatehouse plugins list`.'),
  MESSAGE_HOPS: row('plugin', 409, 3, "'{instance}' may not send because of a message that is {hops} sends away from one that came from outside; {limit} is the limit.", 'Let plugins answer people, not each other.'),
  MESSAGE_UNKEPT: row('plugin', 409, 3, "'{instance}' cannot send from here: nothing that an observer does is part of what becomes of a message.", 'Send from a skill, a channel, a gate, or a tool that one of them calls.'),
  TOOL_UNKNOWN: row('plugin', 404, 3, "There is no active tool '{tool}'.", 'Enable the plugin that offers it.'),
  TOOL_BUSY: row('plugin', 503, 1, "The tool '{tool}' has {depth} calls waiting.", 'Call it again later, or less at once.', true),
  TOOL_FAILED: row('plugin', 502, 3, "The tool '{tool}' failed: {problem}", 'Check the arguments; the tool reported this itself.'),
  TOOL_ARGUMENT: row('plugin', 400, 3, "The tool '{tool}' refuses its arguments at {path}: {problem}.", 'Fit the tool’s inputSchema.'),
  TOOL_DEPTH: row('plugin', 400, 3, "The tool '{tool}' was called {depth} tools deep; the limit is {limit}.", 'Call fewer tools from tools.'),
  CALL_OVER: row('plugin', 409, 3, 'The call this request belongs to is over.', 'Await host calls inside the handler.'),

  // Pipeline
  INGRESS_NOT_FOUND: row('remote', 404, 1, "The channel '{instance}' has no route {method} {path}.", 'See the channel’s documentation.'),
  INGRESS_SIGNATURE: row('remote', 401, 3, "The request to '{instance}' is not signed correctly.", 'Sign the exact bytes with the shared secret.'),
  INGRESS_BODY: row('remote', 400, 1, "The channel '{instance}' refuses the request: {problem}.", 'Correct the request.'),
  INGRESS_PAYLOAD: row('remote', 422, 1, "The channel '{instance}' cannot make sense of the request: {problem}", 'Correct the payload: sent again as it is, it is refused again.'),
  INGRESS_TOO_LARGE: row('remote', 413, 1, 'The body has more than {limit} bytes.', 'Send less.'),
  SENDER_DENIED: row('remote', 403, 3, "'{instance}' does not admit this sender: {problem}.", 'Ask the operator to admit it.'),
  NOT_ADDRESSED: row('remote', 200, 1, 'The message is not for this instance: {problem}.', 'Mention it by name, or answer one of its messages; operators: see `admit.requireMention` in docs/operate.md.'),
  COMMAND_DENIED: row('remote', 403, 3, "This sender may not use the command '{command}' here: {problem}.", 'Operators: name the sender in `admit.owners`, or set who may in `commands`, in the enablement of the channel.'),
  COMMAND_INVALID: row('remote', 400, 1, 'This is no command that could be run: {problem}.', 'Correct it; to write a text that begins like a command, write the sign before it twice.'),
  SENDER_RATE: row('remote', 429, 3, 'Too many messages from this sender.', 'Slow down and send again.', true),
  LANE_FULL: row('remote', 503, 3, 'The conversation has {depth} messages waiting.', 'Send again later.', true),
  LANE_OVERFLOW: row('remote', 503, 3, 'It waited too long: {depth} messages of the conversation were waiting, and newer ones came first.', 'Write less at a time, or raise `queue.cap`.'),
  SUPERSEDED: row('remote', 409, 3, 'A newer message of the conversation took its place.', 'Nothing to do: the newer one is answered.'),
  RUN_STOPPED: row('operator', 409, 3, 'Its answer was stopped: {problem}.', 'Write again.'),
  MESSAGE_EXPIRED: row('host', 504, 1, 'It had waited for {age} when the host started; the limit is {limit}.', 'Replay the dead letter if it still matters. `queue.maxAgeMs` is the limit.'),
  LANE_STUCK: row('host', 500, 1, 'Its run made no step for {limit}, {attempts} times.', 'This is a defect in Gatehouse; report it with the log lines around it.'),
  HOST_BUSY: row('remote', 503, 1, 'The host has {depth} messages in work.', 'Send again later.', true),
  MODERATION_DENIED: row('remote', 403, 3, 'The message was refused: {reason}.', 'Change the message.'),
  PRESSURE_SHED: row('remote', 503, 1, "The host sheds messages of {priority} priority: {depth} wait in '{queue}'.", 'Send again later.', true),
  GATE_UNAVAILABLE: row('plugin', 503, 3, "The gate '{instance}' is not available, so nothing passes it.", 'Send again later; operators: see `gatehouse plugins show {instance}`.', true),
  GATE_TIMEOUT: row('plugin', 503, 3, "The gate '{instance}' gave no answer in time.", 'Send again later.', true),
  GATE_FAILED: row('plugin', 503, 3, "The gate '{instance}' failed, so the message is not let through.", 'Send again later; operators: the log says what was wrong (`a gate gave no verdict`).', true),
  GATE_LOCKED: row('operator', 400, 3, "'{where}' of '{instance}' makes the gate '{gate}' '{mode}', and its own enablement permits no less than '{most}'; that is what counts.", 'Take the entry away, or set `relaxTo` in the enablement of the gate if you mean it.'),
  GATE_UNKNOWN: row('operator', 400, 3, "'{where}' of '{instance}' names '{gate}', and no gate of that name is enabled.", 'Correct the name, or take the entry away. Gates that are not named are enforced.'),
  GATE_PASSES_LATE: row('operator', 400, 3, "Messages on which the gate '{instance}' gives no answer in time pass, with the flag 'timeout:{instance}'.", 'Nothing to do if that is intended: whoever can make the gate slow gets past it. Else remove `onTimeout`.'),
  HELD_FULL: row('plugin', 503, 3, 'Messages are held for a quarantined gate and no more fit.', 'Release or disable the gate.', true),
  MEDIA_REFUSED: row('remote', 403, 3, "'{instance}' does not take the media of this message: {problem}.", 'Send less, or text alone; operators: see `media` in the enablement.'),
  MEDIA_TYPE_REFUSED: row('remote', 415, 3, "'{instance}' does not take this file: it {problem}.", 'Send a file of a type that is taken in, and say what it is.'),
  MEDIA_UNSAFE: row('remote', 422, 3, "'{instance}' does not take this file: it {problem}.", 'Send a plain file that is one thing, whole, and no larger than it looks.'),
  MEDIA_TOO_LARGE: row('remote', 413, 3, "'{instance}' does not take this file: it has more than {limit} bytes.", 'Send a smaller one; operators: see `media.maxBytes`.'),
  MEDIA_UNREACHABLE: row('remote', 503, 1, "A file of a message to '{instance}' could not be fetched: {problem}", 'Send it again later; operators: `media.onFailure: "link"` keeps the address instead.', true),
  MEDIA_QUOTA: row('operator', 503, 1, "'{instance}' has no room for a file of {size} bytes: {used} of {quota} are used.", 'Raise `media.quotaBytes` or `pipeline.files.totalBytes`, or lower `media.retentionDays`.', true),
  MEDIA_MISSING: row('host', 404, 1, 'The file {id} cannot be had: {problem}.', 'It was removed by retention, or from outside; a backup of data/media has it.'),
  MEDIA_UNSUPPORTED: row('operator', 409, 3, "'{instance}' cannot send media, and its policy rejects what it cannot send: {problem}.", 'Set `media.outbound` to `link` or `text`, or use a channel with the ability `media`; then replay the dead letter.'),
  RESPOND_FAILED: row('plugin', 502, 1, "No reply: '{instance}' failed {attempts} times: {problem}.", 'Look at the dead letter and replay it.'),
  REPLY_DENIED: row('plugin', 403, 3, 'The message was refused on its way out: {reason}.', 'See the stage record of the message that it answers.'),
  DELIVERY_FAILED: row('remote', 502, 1, "The delivery through '{instance}' failed {attempts} times: {problem}.", 'Look at the dead letter and replay it.'),
  SEND_DENIED: row('operator', 403, 3, "The policy of '{instance}' lets nothing leave for this conversation.", 'Change `outbound.send` in its enablement, for the channel or in `rooms`.'),
  DELIVERY_REFUSED: row('remote', 502, 1, "The delivery through '{instance}' was refused: {problem}.", 'Put right what it complains about, then replay the dead letter.'),
  MESSAGE_NOT_FOUND: row('operator', 404, 1, "There is no message '{id}'.", 'List them with `gatehouse messages`.'),
  ROUTE_NOT_FOUND: row('operator', 404, 1, "'{target}' cannot be reached: {problem}.", 'Name the channel and the conversation: `gatehouse send --channel <instance> --to <conversation>`.'),
  SESSION_NOT_FOUND: row('operator', 404, 1, "There is no session '{key}'.", 'List them with `gatehouse sessions`.'),
  DEAD_LETTER_NOT_FOUND: row('operator', 404, 1, "There is no dead letter '{id}'.", 'List them with `gatehouse dead-letters list`.'),
  DEAD_LETTER_BUSY: row('operator', 409, 1, "The work of dead letter '{id}' is under way again.", 'Wait for its end: it is gone then, or back with what failed.'),
  DEAD_LETTER_GUARDED: row('operator', 409, 3, "Dead letter '{id}' is not replayed: {problem}.", 'Look at it with `gatehouse dead-letters show {id}`; `--force` replays it all the same.'),
  REPLAY_RATE: row('operator', 429, 1, 'More dead letters were replayed than {perSecond} a second.', 'Wait a moment, or let the host replay many by itself with `gatehouse dead-letters replay --all`.', true),
  MESSAGE_POISONED: row('plugin', 502, 1, "The message was given up: it cost '{instance}' its sandbox {attempts} times ({problem}).", 'Look at the dead letter; replay it once the plugin is mended.'),

  // Control plane
  UNAUTHENTICATED: row('remote', 401, 3, 'This needs a bearer token.', 'Pass `authorization: Bearer ght_…`; the first one is in data/admin-token.'),
  LOCKED_OUT: row('remote', 429, 3, 'Too many wrong tokens came from this address.', 'Wait, then use a token that is right.', true),
  FORBIDDEN: row('remote', 403, 3, "This token lacks the scope '{scope}'.", 'Use a token with that scope.'),
  MISDIRECTED: row('remote', 421, 3, 'This host does not answer for that name.', 'Add the name to `hosts` in manifests/host.json.'),
  NOT_FOUND: row('remote', 404, 1, 'There is nothing at {path}.', 'See /openapi.json.'),
  METHOD_NOT_ALLOWED: row('remote', 405, 1, '{path} does not answer {method}.', 'Use one of the methods in the `allow` header.'),
  MEDIA_TYPE: row('remote', 415, 1, 'This takes a body of type application/json.', 'Send JSON with `content-type: application/json`.'),
  REQUEST_MALFORMED: row('remote', 400, 1, 'The request is not valid HTTP: {problem}.', 'Correct the client.'),
  REQUEST_TIMEOUT: row('remote', 408, 1, 'The request did not arrive in time.', 'Send it faster, or in smaller parts.'),
  HEADERS_TOO_LARGE: row('remote', 431, 1, 'The request has too many bytes of headers.', 'Send fewer headers.'),
  URL_TOO_LONG: row('remote', 414, 1, 'A part of the address is too long.', 'Shorten it.'),
  ORIGIN_REFUSED: row('remote', 403, 3, "A socket of '{instance}' may not be opened from {origin}.", 'Open it from a page of this host, under the name the page was loaded from.'),
  UPGRADE_REQUIRED: row('remote', 426, 1, '{path} is a WebSocket.', 'Connect with a WebSocket client.'),
  SOCKETS_FULL: row('remote', 503, 1, "The channel '{instance}' has {depth} sockets of {whose} open, which is the most it may have.", 'Try again later.', true),
  REQUEST_INVALID: row('remote', 400, 2, 'The request is wrong at {path}: {problem}.', 'Correct the request.'),
  CURSOR_INVALID: row('remote', 400, 2, 'The request is wrong at ?cursor: it is not one that this list gave in this order.', 'Begin again without a cursor, and pass on the one that a page names.'),
  IDEMPOTENCY_REUSED: row('remote', 409, 2, 'The key in the header idempotency-key was used at {at} for {method} {path}, and asked for something else there.', 'Use a new key for every new request.'),
  IDEMPOTENCY_UNDERWAY: row('remote', 409, 1, 'A request with this idempotency-key is being carried out.', 'Send it again in a moment for its answer.', true),
  IDEMPOTENCY_UNCERTAIN: row('host', 409, 1, 'A request with this idempotency-key ({method} {path}) was begun at {at}, and how it ended is not known: the host stopped, or could not write.', 'Look at what became of it; to ask once more, use a new key.'),
  IDEMPOTENCY_ANSWER_GONE: row('remote', 409, 1, 'The request with this idempotency-key ({method} {path}) was carried out at {at}, and its answer is not kept: it holds a secret, or is too long.', 'Look at what it made. A secret that was lost on the way is replaced by a new one: revoke or rotate what has it.'),
  CHANNEL_EXPECTED: row('operator', 400, 2, "The request is wrong at /channel: '{instance}' is a {kind} and no channel.", 'Name a channel: `gatehouse plugins list` shows the kind of each instance.'),
  CHANNEL_DOWN: row('operator', 409, 1, "Nothing can be sent by '{instance}': it is {state}.", 'See `gatehouse plugins show {instance}` for why, and bring it back first.'),
  PRECONDITION_FAILED: row('remote', 412, 1, 'What the header {header} says of the state does not hold: it has the tag {etag} now.', 'Look at it again, and decide by what it is now.'),
  LANE_NOT_FOUND: row('operator', 404, 2, "Nothing waits or runs in the lane of session '{key}'.", 'See `gatehouse lanes list`.'),
  TOKEN_NOT_FOUND: row('remote', 404, 2, "There is no token '{id}'.", 'See `gatehouse tokens list`.'),
  TOKEN_ENDED: row('remote', 409, 2, "The token '{id}' has ended.", 'Make a new one with `gatehouse tokens create`.'),
  SCOPE_UNKNOWN: row('remote', 400, 2, "There is no scope '{scope}': {known}", 'Name scopes as docs/api.md lists them.'),
  SCOPE_BEYOND: row('remote', 403, 3, "The token used here does not have the scope '{scope}' itself.", 'Use a token that has it.'),
  CONFIG_CONFLICT: row('operator', 409, 1, 'host.json is no longer {expected} but {found}: {diff}.', 'Look at it again and make the edit from what it is now.'),
  CONFIG_REVIEWED: row('remote', 403, 3, 'Changing {paths} decides what may run: this token may not.', "Use a token with the scope 'review' beside 'config:write'."),
  CONFIG_UNKNOWN: row('operator', 404, 2, 'No earlier host.json with the hash {hash} is remembered.', 'See `gatehouse config history`.'),
  BACKUP_FAILED: row('host', 500, 1, 'The backup {path} could not be written: {problem}.', 'Make room or choose another place; nothing of it is left behind.'),
  BACKUP_RUNNING: row('operator', 409, 1, "The backup '{name}' is being written.", 'Wait for its end: `gatehouse backup list`.', true),
  BACKUP_NOT_FOUND: row('operator', 404, 2, "There is no backup '{name}'.", 'See `gatehouse backup list`.'),
  BACKUP_DAMAGED: row('operator', 409, 3, 'The backup is not what was written: {file}: {problem}.', 'Use another copy of it.'),
  RESTORE_OUTSIDE: row('operator', 409, 2, 'The host.json of the backup puts the data directory outside of the new home: {dataDir}.', 'Say where it is to be with --data DIR.'),
  RESTORE_NOT_EMPTY: row('operator', 409, 2, '{path} is not empty.', 'Name a folder that is not there yet, or move what is there away.'),
  IMPORT_INVALID: row('operator', 400, 3, 'Line {line} of {file} cannot be imported: {problem}.', 'Nothing of the file was taken in. Export again; a file that was edited does not go by its digest either.'),
  IMPORT_VERSION: row('operator', 400, 3, 'Line {line} of {file} says that the export has version {version}; this host reads version {known}.', 'Take it in with a Gatehouse that is as new as the one that wrote it.'),
  IMPORT_DAMAGED: row('operator', 400, 3, 'The export {file} is not whole, which shows at line {line}: {problem}.', 'Nothing of it was taken in. Copy the file again, or export again.'),
  EVENT_STREAMS_BUSY: row('remote', 503, 1, '{depth} readers follow the events of this host already.', 'End one of them, or try again later.', true),
  STOPPING: row('host', 503, 1, 'The host is stopping.', 'Try again when it runs.', true),
  OVERLOADED: row('host', 503, 1, 'The host answers {depth} requests already.', 'Try again in a moment; operators: `network.limits.inFlight`.', true),
  RATE_LIMITED: row('remote', 429, 1, 'More than {perSecond} requests a second came from this {who}.', 'Ask less often; operators: `network.limits`.', true),
  ANSWER_LATE: row('host', 503, 1, 'No answer was ready in time; what was asked for may still be done.', 'Look at what became of it before you ask again.', true),
  TLS_REQUIRED: row('remote', 403, 3, 'This request was not encrypted all the way.', 'Use https; operators: a proxy that ends TLS says so in X-Forwarded-Proto, and stands in `network.trustedProxies`.'),
  CLIENT_CERTIFICATE: row('remote', 403, 3, 'A client certificate is asked for here, and yours {problem}.', 'Show one of the authority that the operator names in `network.mtls.ca`.'),
  FUNNEL_UNEXPECTED: row('operator', 403, 3, 'This request came through a public tunnel, and this host is not set up for one.', 'Close the tunnel; or set `network.funnel` to true, and a profile that fits.'),

  // Pairing
  PAIRING_REQUIRED: row('remote', 403, 3, "'{instance}' does not know this sender: {problem}.", 'Give the operator the code that was answered with; operators: `gatehouse pairing approve CODE`.'),
  PAIRING_CODE: row('remote', 404, 2, 'Nobody waits with this code.', 'A code has 8 letters and digits, is good for one hour, and once; see `gatehouse pairing list --state pending`.'),
  PAIRING_NOT_FOUND: row('remote', 404, 2, "There is no pairing '{id}'.", 'See `gatehouse pairing list`.'),
  PAIRING_STATE: row('remote', 409, 2, "The pairing '{id}' is {state}: {problem}.", 'See `gatehouse pairing list`.'),
  PAIRING_LOCKED: row('remote', 429, 3, 'Too many wrong codes came with this token.', 'Wait, then use a code that is right.', true),
  INVITE_REQUIRED: row('remote', 403, 3, "'{instance}' is open to those who were invited.", 'Open the link of an invite, or send a token with the scope messages:write; operators: `gatehouse pairing invite --instance {instance}`.'),
  INVITE_REFUSED: row('remote', 403, 3, "The invite does not open '{instance}': {problem}.", 'Ask for a new one.'),
  INVITE_NOT_FOUND: row('remote', 404, 2, "There is no invite '{id}'.", 'See `gatehouse pairing invites`.'),
  INVITE_USELESS: row('operator', 400, 2, "'{instance}' has no page that an invite could open.", 'Invite people to a channel with a WebSocket, as webchat is; others are paired by code (`admit.access`).'),
  DASHBOARD_MISSING: row('operator', 503, 1, 'The dashboard of this checkout is not built.', 'Run `npm run dashboard`; npm start does it by itself.'),
  PACKAGE_UNKNOWN: row('operator', 404, 1, "No package with the digest '{digest}' runs here, and no scan of one is kept.", 'List them with `gatehouse packages list`.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether a stored or received code is one of this table. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** The remedy of a code alone; undefined for unknown codes and where the remedy speaks of values that only the error itself has. */
export function remedyOf(code: string): string | undefined {
  const fix = isErrorCode(code) ? ERRORS[code].fix : undefined;
  return fix?.includes('{') ? undefined : fix;
}

/** A field that ends its own sentence ends the template's too. */
const fill = (template: string, fields: Fields) =>
  template.replace(/\{(\w+)\}(\.?)/g, (_, name: string, stop: string) => {
    const value = fields[name] === undefined ? `{${name}}` : String(fields[name]);
    return stop !== '' && value.endsWith('.') ? value : value + stop;
  });

/** A broken promise, with a stable code. Expected results are values, not errors. */
export class GatehouseError extends Error {
  readonly code: ErrorCode;
  readonly fields: Fields;

  constructor(code: ErrorCode, fields: Fields = {}, options?: ErrorOptions) {
    super(fill(ERRORS[code].message, fields), options);
    this.name = 'GatehouseError';
    this.code = code;
    this.fields = fields;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  /** What to do about it, with this error's values filled in. */
  get fix(): string {
    return fill(ERRORS[this.code].fix, this.fields);
  }
}

/** The text of anything thrown, without stack or path; for places that only report. */
export function problemOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === 'string' ? thrown : 'an unknown error';
}
