# SPDX-License-Identifier: MIT
#
# Hashes, regular expressions, sorting, serialising; in cloned interpreters and in child processes.
use strict;
use warnings;
use threads;
use Data::Dumper;
use Digest::SHA qw(sha256_hex);
use List::Util qw(sum);
use Storable qw(freeze thaw dclone);

$Data::Dumper::Sortkeys = 1;
$Storable::canonical = 1;

sub work {
    my ($seed) = @_;
    my $random = sub { $seed = ($seed * 1103515245 + 12345) % 2147483648; $seed % $_[0] };
    my %words;
    for my $i (1 .. 60000) {
        my $key = sprintf("k%x", $random->(20000));
        if (exists $words{$key}) {
            delete $words{$key};
        } else {
            $words{$key} = { text => "t" x $random->(300), list => [1 .. $random->(8)], n => $i };
        }
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
    print <$pipe>, "\n";
    close $pipe or die "child: $?";
}
my $big = "";
$big .= "line $_\n" for 1 .. 300000;
my @lines = split /\n/, $big;
print sha256_hex($big), " ", scalar(@lines), " ", sha256_hex(join ",", sort { $b cmp $a } @lines);
print "\n", `perl -e 'print join ",", map { \$_ ** 2 } 1..1000'`, "\n";
