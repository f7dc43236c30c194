/** Sends router advertisements in tests. */
import { execFileSync } from 'node:child_process';

/** With a lifetime of 1800 s, to all nodes; the kernel computes the checksum. */
const program = `
  use strict; use Socket qw(:all);
  socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($s, 41, 18, pack('i', 255)) or die "hops: $!";
  my $request = pack 'a16 x24', 'eth0'; ioctl($s, 0x8933, $request) or die "SIOCGIFINDEX: $!";
  my $to = pack_sockaddr_in6(0, inet_pton(AF_INET6, 'ff02::1'), unpack('x16 i', $request));
  defined send($s, pack('C C n C C n N N', 134, 0, 0, 64, 0, 1800, 0, 0), 0, $to) or die "send: $!";`;

/** From eth0 of the namespace. */
export const advertise = (ns: string): void =>
  void execFileSync('nsenter', [`--net=${ns}`, 'perl', '-e', program], { stdio: 'ignore' });
