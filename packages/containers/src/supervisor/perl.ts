// The supervisor on machines with perl and its POSIX module: one resident process forks the containers' first processes and
// reaps them. It makes their sessions, environments, users and streams itself. So a launch costs one fork and one exec, and
// the kernel reports the exact status of each.
//
// It appends to a container's file `record`:
//   first STAT                        /proc/self/stat of the first process; its parent there is the supervisor
//   status exited CODE | status signaled SIGNAL
// and writes lines into the fifo `events`: `started ID PID SUPERVISOR`, `status ID exited CODE`,
// `status ID signaled SIGNAL`, `failed ID REASON`. The records are authoritative; a line only says when to read them. While
// the fifo is full because no agent reads it, lines wait in this process and everything else goes on.
//
// SUPERVISOR-1: a task gets the descriptors 0, 1 and 2 and no others: this process closes those that it inherited, and perl
//   closes those that it opens (above $^F) at the exec.
// SUPERVISOR-2: no link is followed on the way to a task's output. The sandbox must be the directory that the agent has
//   opened, whatever its path leads to by now; stdout and stderr must be regular files of the task's user.
import { ok } from '@meseta/base';
import type { CommandPlan, LaunchOwner, LaunchPlan } from '../plan/plan.js';
import type { Supervision } from './spawner.js';

/** Replaces the process by the command of a plan. Limits are set first, as raising them needs the agent's user. */
const turnInto = String.raw`
use POSIX ();

# SUPERVISOR-1.
sub close_inherited {
  opendir(my $directory, '/proc/self/fd') or POSIX::_exit(126);
  my @inherited = grep { /\A\d+\z/ && $_ > 2 } readdir $directory;
  closedir $directory;
  POSIX::close($_) for @inherited;
}
close_inherited();

sub turn_into {
  my ($user, $groups, $program, $limits, @argv) = split /\0/, $_[0], -1;
  my @limits = splice @argv, 0, $limits;
  my $variables = shift @argv;
  my %variables = map { split /=/, $_, 2 } splice @argv, 0, $variables;
  if (@limits) {
    my ($tool, @options) = @limits;
    system({$tool} $tool, '--pid', $$, @options) == 0 or return 126;
  }
  if ($user ne '' && !become_user($user, split / /, $groups)) {
    print STDERR "Failed to become the user with the id $user: $!\n";
    return 126;
  }
  %ENV = %variables;
  exec {$program} @argv;
  my $code = $! == POSIX::ENOENT() ? 127 : 126;
  print STDERR "Failed to execute $program: $!\n";
  return $code;
}

# The first group is the user's own. Assigning to $) sets the effective group, then all groups.
sub become_user {
  my ($user, @groups) = @_;
  my %allowed = map { $_ => 1 } @groups;
  $) = join ' ', $groups[0], @groups;
  POSIX::setgid($groups[0]) && POSIX::setuid($user) or return 0;
  return 0 if grep { !$allowed{$_} } split(/ /, $(), split(/ /, $));
  return $< == $user && $> == $user;
}
`;

const script = String.raw`${turnInto}
use Fcntl ();
$0 = 'meseta-spawner';
my ($open, $died, $input, $events_text, %container) = (1, 0, '', '');
my $home = POSIX::getcwd();
sysopen(my $events, 'events', POSIX::O_RDWR() | POSIX::O_NONBLOCK()) or exit 1;
$SIG{CHLD} = sub { $died = 1 };

# Without O_CREAT in $create a missing record is not made: its container may be removed already.
sub append_record {
  my ($id, $line, $create) = @_;
  sysopen(my $record, "$home/$id.record", POSIX::O_WRONLY() | POSIX::O_APPEND() | $create, 0600) or return 0;
  return defined syswrite($record, $line);
}

# Writes whole lines, as many as the fifo has room for.
sub write_events {
  while ($events_text =~ /\A(.*\n)/) {
    defined syswrite($events, $1) or return 0;
    substr($events_text, 0, length $1) = '';
  }
  return 1;
}

# The directory at the path must be the one that the agent has opened.
sub enter {
  my ($directory, $identity) = @_;
  chdir($directory) or return "$directory: $!";
  my ($device, $inode) = stat '.';
  return "$device:$inode" eq $identity ? '' : "$directory was replaced";
}

# Opens an output. A file that is not regular is refused, without waiting for the reader of a fifo.
sub open_output {
  my ($stream, $name, $user) = @_;
  my $flags = POSIX::O_WRONLY() | POSIX::O_APPEND();
  sysopen($stream, $name, $flags | POSIX::O_CREAT() | POSIX::O_NONBLOCK() | Fcntl::O_NOFOLLOW(), 0644)
    or return "$name can't be opened: $!";
  my $owner = (stat $stream)[4];
  return "$name is not a regular file of the user $user" unless -f _ && $owner == $user;
  return fcntl($stream, Fcntl::F_SETFL(), $flags) ? '' : "$name: $!";
}

sub become {
  my ($id) = @_;
  open(my $stat, '<', '/proc/self/stat') or return 126;
  my $first = <$stat>;
  open(my $plan, '<', "$id.plan") or return 126;
  my $text = do { local $/; <$plan> };
  $text =~ s/\A.*\n.*\n//;
  (my $directory, my $identity, $text) = split /\0/, $text, 3;
  my ($user) = split /\0/, $text, 2;
  $user = $> if $user eq '';
  POSIX::setsid();
  open(STDIN, '<', '/dev/null') or return 126;
  my $problem = enter($directory, $identity) || open_output(*STDOUT, 'stdout', $user) || open_output(*STDERR, 'stderr', $user);
  if ($problem ne '') {
    # One line, short enough for an atomic write.
    $problem =~ s/[[:cntrl:]]/?/g;
    $events_text = "failed $id " . substr($problem, 0, 1000) . "\n";
    select(undef, undef, undef, 0.05) until write_events();
    return 126;
  }
  append_record($id, "first $first", POSIX::O_CREAT()) or return 126;
  $events_text = "started $id $$ " . getppid() . "\n";
  select(undef, undef, undef, 0.05) until write_events();
  return turn_into($text);
}

sub launch {
  my ($id) = @_;
  my $pid = fork();
  if (!defined $pid) { $events_text .= "failed $id\n" }
  elsif ($pid) { $container{$pid} = $id }
  else { POSIX::_exit(become($id)) }
}

sub reap {
  while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) {
    my $id = delete $container{$pid};
    next unless defined $id;
    my $end = $? & 127 ? 'signaled ' . ($? & 127) : 'exited ' . ($? >> 8);
    append_record($id, "status $end\n", 0);
    $events_text .= "status $id $end\n";
  }
}

for (;;) {
  $died = 0;
  reap();
  write_events();
  last unless $open || %container;
  my $ready = '';
  vec($ready, 0, 1) = 1 if $open;
  # A child that ends between the check of $died and select() does not interrupt select(): hence the timeout.
  my $found = select($ready, undef, undef, $died ? 0 : %container || $events_text ne '' ? 1 : undef);
  next unless $open && $found > 0;
  my $read = sysread(STDIN, $input, 65536, length $input);
  $open = 0 if defined $read && $read == 0;
  while ($input =~ s/\A(.*)\n//) { launch($1) }
}
`;

/** A process outside of any container: it becomes the command that its input describes. */
const singleScript = `${turnInto}
my $text = do { local $/; <STDIN> };
open(STDIN, '<', '/dev/null') or POSIX::_exit(126);
POSIX::_exit(turn_into($text));
`;

/** Separated by NUL: user, its groups, program, and three counted lists. */
function commandText({ program, environment, argv, owner, rlimits }: CommandPlan): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const user = owner === undefined ? ['', ''] : [String(owner.uid), groupsOf(owner).join(' ')];
  const counted = (list: readonly string[]): readonly string[] => [String(list.length), ...list];
  return [...user, program, ...counted(rlimits), ...counted(variables), ...argv].join('\0');
}

/** The plan below its header: the directory, its identity, then the command. */
const planText = (plan: LaunchPlan): string =>
  [plan.directory.path, plan.directory.identity, commandText(plan)].join('\0');

/** The user's own group first. */
const groupsOf = ({ gid, groups }: LaunchOwner): readonly number[] => [gid, ...groups.filter((it) => it !== gid)];

export const perlSupervision = (perl: string): Supervision => ({
  program: perl,
  arguments: ['-e', script, 'meseta-spawner'],
  planText: (plan) => ok(planText(plan)),
  singleProcess: (plan) => ok({ program: perl, arguments: ['-e', singleScript], input: commandText(plan) }),
  needsReaping: false,
});
