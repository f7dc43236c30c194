import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginText, endText } from './messages.ts';

test("a capture begins and ends with tcpdump's messages", () => {
  const head = { description: 'eth0 of container web (0123456789ab)', linkType: 1, snapLength: 96 };
  assert.equal(
    beginText(head),
    'listening on eth0 of container web (0123456789ab), link-type EN10MB (Ethernet), snapshot length 96 bytes',
  );
  assert.match(beginText({ ...head, linkType: 999 }), /link-type 999,/);
  const counted = { packets: 1, tail: { received: 2, dropped: 0, problem: '' } };
  assert.equal(endText(counted), '1 packet captured\n2 packets received by filter\n0 packets dropped by kernel');
  assert.equal(endText({ packets: 5, tail: undefined }), '5 packets captured');
});
