// The supervisor where perl is there (with its POSIX module): one resident process forks the containers' first processes
// and reaps them. It makes their sessions, environments, users and streams itself, so that a launch costs one fork and one
// exec, and the kernel tells it how each ended: nothing has to be guessed from a shell's `$?`.
//
// What it writes into a container's file `record`:
//   first STAT                        /proc/self/stat of the first process; its parent there is the supervisor
//   status exited CODE | status signaled SIGNAL
// and into the fifo `events`: `started ID PID SUPERVISOR`, `status ID exited CODE`, `status ID signaled SIGNAL`,
// `failed ID REASON`. The files are the truth, the lines only tell when to look; when nobody reads them and the fifo is full
// they wait here, and nothing else does.
//
// SUPERVISOR-1: a task gets the descriptors 0, 1 and 2 and no others: whatever this process was started with is closed,
//   and perl closes what it opens itself (above $^F) at the exec.
// SUPERVISOR-2: no link is followed on the way to a task's output: the sandbox must be the directory that the agent has
//   looked at, whatever its path leads to by now, and stdout and stderr regular files of the task's user.
import { ok } from '@meseta/base';
import type { CommandPlan, LaunchOwner, LaunchPlan } from '../plan/plan.js';
import type { Supervision } from './spawner.js';

/** Replaces the process by what the plan says. Limits come first: raising them needs the agent's user. */
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
my ($open, $died, $input, $unsaid, %container) = (1, 0, '', '');
my $home = POSIX::getcwd();
sysopen(my $events, 'events', POSIX::O_RDWR() | POSIX::O_NONBLOCK()) or exit 1;
$SIG{CHLD} = sub { $died = 1 };

# A container whose first process has noted nothing has no record, and may be forgotten already.
sub note {
  my ($id, $line, $new) = @_;
  sysopen(my $record, "$home/$id.record", POSIX::O_WRONLY() | POSIX::O_APPEND() | $new, 0600) or return 0;
  return defined syswrite($record, $line);
}

# Whole lines, as many as there is room for.
sub tell_all {
  while ($unsaid =~ /\A(.*\n)/) {
    defined syswrite($events, $1) or return 0;
    substr($unsaid, 0, length $1) = '';
  }
  return 1;
}

# What has the directory's path must be the directory.
sub enter {
  my ($directory, $identity) = @_;
  chdir($directory) or return "$directory: $!";
  my ($device, $inode) = stat '.';
  return "$device:$inode" eq $identity ? '' : "$directory was replaced";
}

# Without waiting for the reader of a fifo, nor that for the task: such a file is refused.
sub write_to {
  my ($stream, $name, $user) = @_;
  my $how = POSIX::O_WRONLY() | POSIX::O_APPEND();
  sysopen($stream, $name, $how | POSIX::O_CREAT() | POSIX::O_NONBLOCK() | Fcntl::O_NOFOLLOW(), 0644)
    or return "$name can't be opened: $!";
  my $of = (stat $stream)[4];
  return "$name is not a regular file of the user $user" unless -f _ && $of == $user;
  return fcntl($stream, Fcntl::F_SETFL(), $how) ? '' : "$name: $!";
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
  my $problem = enter($directory, $identity) || write_to(*STDOUT, 'stdout', $user) || write_to(*STDERR, 'stderr', $user);
  if ($problem ne '') {
    # One line, and short enough to be written at once.
    $problem =~ s/[[:cntrl:]]/?/g;
    $unsaid = "failed $id " . substr($problem, 0, 1000) . "\n";
    select(undef, undef, undef, 0.05) until tell_all();
    return 126;
  }
  note($id, "first $first", POSIX::O_CREAT()) or return 126;
  $unsaid = "started $id $$ " . getppid() . "\n";
  select(undef, undef, undef, 0.05) until tell_all();
  return turn_into($text);
}

sub launch {
  my ($id) = @_;
  my $pid = fork();
  if (!defined $pid) { $unsaid .= "failed $id\n" }
  elsif ($pid) { $container{$pid} = $id }
  else { POSIX::_exit(become($id)) }
}

sub reap {
  while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) {
    my $id = delete $container{$pid};
    next unless defined $id;
    my $end = $? & 127 ? 'signaled ' . ($? & 127) : 'exited ' . ($? >> 8);
    note($id, "status $end\n", 0);
    $unsaid .= "status $id $end\n";
  }
}

for (;;) {
  $died = 0;
  reap();
  tell_all();
  last unless $open || %container;
  my $ready = '';
  vec($ready, 0, 1) = 1 if $open;
  # A child that ends in the moment between the look at $died and the waiting doesn't interrupt it: so it has an end.
  my $found = select($ready, undef, undef, $died ? 0 : %container || $unsaid ne '' ? 1 : undef);
  next unless $open && $found > 0;
  my $read = sysread(STDIN, $input, 65536, length $input);
  $open = 0 if defined $read && $read == 0;
  while ($input =~ s/\A(.*)\n//) { launch($1) }
}
`;

/** A process that is no container: it becomes what its input says. */
const single = `${turnInto}
my $text = do { local $/; <STDIN> };
open(STDIN, '<', '/dev/null') or POSIX::_exit(126);
POSIX::_exit(turn_into($text));
`;

/** NUL between them: user, its groups, program, three lists. */
function commandText({ program, environment, argv, owner, rlimits }: CommandPlan): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const user = owner === undefined ? ['', ''] : [String(owner.uid), groupsOf(owner).join(' ')];
  const counted = (list: readonly string[]): readonly string[] => [String(list.length), ...list];
  return [...user, program, ...counted(rlimits), ...counted(variables), ...argv].join('\0');
}

/** Below the header: directory and what it is, then the command's. */
const planText = (plan: LaunchPlan): string =>
  [plan.directory.path, plan.directory.identity, commandText(plan)].join('\0');

/** The user's own group first. */
const groupsOf = ({ gid, groups }: LaunchOwner): readonly number[] => [gid, ...groups.filter((it) => it !== gid)];

export const perlSupervision = (perl: string): Supervision => ({
  program: perl,
  arguments: ['-e', script, 'meseta-spawner'],
  planText: (plan) => ok(planText(plan)),
  becoming: (plan) => ok({ program: perl, arguments: ['-e', single], input: commandText(plan) }),
  needsReaping: false,
});
