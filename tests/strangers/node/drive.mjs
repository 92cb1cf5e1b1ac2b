// Google's Node.js client of Drive, as a program for the tests: one verb a run, its result as JSON on standard output.
//
//   list [DRIVE]             every file of the account (or of a shared drive), page by page
//   download ID              the bytes of a file
//   export ID MIME-TYPE      a document in another format
//   upload NAME              standard input as a new file, in one multipart request
//   replace ID               standard input as new content of a file
//   rename ID NAME           another name
//   delete ID                delete a file for good
//   changes TOKEN            what has changed since that token, and the next token
//   start-token              the token of now
//
// DRIVE_ROOT is the address; DRIVE_CLIENT_ID, DRIVE_CLIENT_SECRET and DRIVE_REFRESH_TOKEN open the account.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { createRequire } from "node:module";

// The package stands in the folder that the program is run in, not beside the program.
const { auth, drive: clientOf } = createRequire(`${process.cwd()}/`)("@googleapis/drive");

const { DRIVE_ROOT, DRIVE_CLIENT_ID, DRIVE_CLIENT_SECRET, DRIVE_REFRESH_TOKEN } = process.env;
const account = new auth.OAuth2({
  clientId: DRIVE_CLIENT_ID,
  clientSecret: DRIVE_CLIENT_SECRET,
  endpoints: { oauth2TokenUrl: `${DRIVE_ROOT}token` },
});
account.setCredentials({ refresh_token: DRIVE_REFRESH_TOKEN });
const drive = clientOf({ version: "v3", auth: account, rootUrl: DRIVE_ROOT });

const fields = "id, name, mimeType, size, sha256Checksum, parents, driveId, modifiedTime";
const everywhere = { supportsAllDrives: true, includeItemsFromAllDrives: true };

async function list(driveId) {
  const found = [];
  let pageToken;
  do {
    const { data } = await drive.files.list({
      ...everywhere,
      ...(driveId ? { corpora: "drive", driveId } : {}),
      q: "trashed = false",
      pageSize: 50,
      pageToken,
      fields: `nextPageToken, files(${fields})`,
    });
    found.push(...data.files);
    pageToken = data.nextPageToken;
  } while (pageToken);
  return found;
}

async function changes(pageToken) {
  const removed = {};
  for (;;) {
    const { data } = await drive.changes.list({ ...everywhere, pageToken, pageSize: 2 });
    for (const change of data.changes) removed[change.fileId] = change.removed;
    if (!data.nextPageToken) return { removed, next: data.newStartPageToken };
    pageToken = data.nextPageToken;
  }
}

function media() {
  return { mimeType: "application/octet-stream", body: Readable.from([readFileSync(0)]) };
}

const asStream = { responseType: "stream" };
// The client's own rootUrl does not reach the addresses of uploads; that of the call does.
const here = { rootUrl: DRIVE_ROOT };
const verbs = {
  list: (driveId) => list(driveId),
  download: async (fileId) =>
    (await drive.files.get({ fileId, alt: "media", supportsAllDrives: true }, asStream)).data,
  export: async (fileId, mimeType) => (await drive.files.export({ fileId, mimeType }, asStream)).data,
  upload: async (name) =>
    (await drive.files.create({ supportsAllDrives: true, requestBody: { name }, media: media(), fields }, here)).data,
  replace: async (fileId) => (await drive.files.update({ fileId, supportsAllDrives: true, media: media(), fields }, here)).data,
  rename: async (fileId, name) =>
    (await drive.files.update({ fileId, supportsAllDrives: true, requestBody: { name }, fields })).data,
  delete: async (fileId) => (await drive.files.delete({ fileId, supportsAllDrives: true })).status,
  changes,
  "start-token": async () => (await drive.changes.getStartPageToken({ supportsAllDrives: true })).data.startPageToken,
};

const [verb, ...words] = process.argv.slice(2);
try {
  const result = await verbs[verb](...words);
  if (result instanceof Readable) await pipeline(result, process.stdout);
  else process.stdout.write(JSON.stringify(result));
} catch (error) {
  // A refused download has Google's body in its message alone.
  const reason = error.response?.data?.error?.errors?.[0]?.reason ?? /"reason":\s*"(\w+)"/.exec(error.message)?.[1];
  process.stderr.write(`${error.response?.status} ${reason}\n${error.stack}\n`);
  process.exitCode = 1;
}
