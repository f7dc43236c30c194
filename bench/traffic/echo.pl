#!/usr/bin/perl
# Times one-byte requests and answers over TCP. In Perl, which Debian has: its blocking reads and writes add less to the
# measured time than an event loop.
#
#   echo.pl answer PORT                    answers each byte with a byte, one connection at a time, until it is killed
#   echo.pl ask ADDRESS PORT COUNT         COUNT round trips of one byte on one connection
#   echo.pl connect ADDRESS PORT COUNT     COUNT new connections, each until its first answer
#   echo.pl follow ADDRESS PORT            round trips of one byte on one connection until SIGTERM; prints a line at its start
#
# The last three print one time per line, in microseconds.
use strict;
use warnings;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

sub now { return clock_gettime(CLOCK_MONOTONIC) * 1e6; }

sub open_socket {
    socket(my $socket, PF_INET, SOCK_STREAM, IPPROTO_TCP) or die "socket: $!\n";
    return $socket;
}

sub answer {
    my ($port) = @_;
    my $listener = open_socket();
    setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1) or die "SO_REUSEADDR: $!\n";
    bind($listener, sockaddr_in($port, INADDR_ANY)) or die "bind: $!\n";
    listen($listener, 16) or die "listen: $!\n";
    while (1) {
        accept(my $caller, $listener) or next;
        setsockopt($caller, IPPROTO_TCP, TCP_NODELAY, 1);
        while (sysread($caller, my $byte, 1)) { syswrite($caller, $byte) or last; }
    }
}

sub connected {
    my ($address, $port) = @_;
    my $socket = open_socket();
    connect($socket, sockaddr_in($port, inet_aton($address))) or die "connect to $address: $!\n";
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1) or die "TCP_NODELAY: $!\n";
    return $socket;
}

sub round_trip {
    my ($socket) = @_;
    syswrite($socket, 'x') or die "write: $!\n";
    sysread($socket, my $byte, 1) or die "no answer: $!\n";
}

sub ask {
    my ($address, $port, $count) = @_;
    my $socket = connected($address, $port);
    my @times;
    for (1 .. $count) {
        my $start = now();
        round_trip($socket);
        push @times, now() - $start;
    }
    return @times;
}

# Each ends with a reset: thousands of ports that wait for late segments would be measured along.
sub connect_often {
    my ($address, $port, $count) = @_;
    my @times;
    for (1 .. $count) {
        my $start = now();
        my $socket = connected($address, $port);
        round_trip($socket);
        push @times, now() - $start;
        setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) or die "SO_LINGER: $!\n";
    }
    return @times;
}

# The first round trip is not counted.
sub follow {
    my ($address, $port) = @_;
    my $socket = connected($address, $port);
    round_trip($socket);
    my $ended = 0;
    local $SIG{TERM} = sub { $ended = 1 };
    local $| = 1;
    print "started\n";
    my @times;
    until ($ended) {
        my $start = now();
        # A signal may interrupt it.
        syswrite($socket, 'x') or last;
        sysread($socket, my $byte, 1) or last;
        push @times, now() - $start;
    }
    return @times;
}

my %modes = (answer => \&answer, ask => \&ask, connect => \&connect_often, follow => \&follow);
my ($mode, @arguments) = @ARGV;
my $work = $modes{$mode // ''} or die "usage: echo.pl answer|ask|connect|follow ...\n";
$SIG{ALRM} = sub { die "no answer within 20 s\n" };
alarm 20 unless $mode eq 'answer';
printf "%.1f\n", $_ for $work->(@arguments);
