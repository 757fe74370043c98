# SPDX-License-Identifier: MIT
"""perl: hashes, regular expressions, sorting, formats of data, processes, and cloned interpreters in threads."""

NEEDS = {"perl": "perl"}
SERVED = ("perl",)

SCRIPT = r"""
use strict; use warnings; use threads; use Storable qw(freeze thaw dclone); use Digest::SHA qw(sha256_hex);
use List::Util qw(sum shuffle); use Data::Dumper; $Data::Dumper::Sortkeys = 1; $Storable::canonical = 1;

sub work {
    my ($seed) = @_;
    my $next = sub { $seed = ($seed * 1103515245 + 12345) % 2147483648; $seed % $_[0] };
    my %words;
    for my $i (1 .. 60000) {
        my $key = sprintf("k%x", $next->(20000));
        if (exists $words{$key}) { delete $words{$key} }
        else { $words{$key} = { text => "t" x $next->(300), list => [1 .. $next->(8)], n => $i } }
    }
    my $text = join "\n", map { "$_ $words{$_}{n} $words{$_}{text}" } sort keys %words;
    my $count = () = $text =~ /k[0-9a-f]*7\b/g;
    (my $swapped = $text) =~ s/(\d+) (t+)/$2$1/g;
    my $copy = thaw(freeze(dclone(\%words)));
    return join " ", scalar(keys %words), length $text, $count, sha256_hex($swapped),
        sha256_hex(Dumper($copy)), sum(map { scalar @{ $_->{list} } } values %$copy);
}

print work(1), "\n";
for my $round (1 .. 3) {
    my @threads = map { my $n = $_; threads->create(sub { work($n) }) } 1 .. 4;
    print $_->join, "\n" for @threads;
}
for my $n (1 .. 4) {
    my $pid = open(my $pipe, "-|") // die;
    if (!$pid) { print work($n); exit 0 }
    print <$pipe>, "\n"; close $pipe or die "child: $?";
}
my $big = ""; $big .= "line $_\n" for 1 .. 300000;
print sha256_hex($big), " ", scalar(my @lines = split /\n/, $big), "\n";
print sha256_hex(join ",", sort { $b cmp $a } @lines), "\n";
print `perl -e 'print join ",", map { \$_ ** 2 } 1..1000'`, "\n";
"""


def run(run):
    return {"output": run.command("perl", "-", stdin=SCRIPT.encode(), env={"PERL_HASH_SEED": "0"})}
