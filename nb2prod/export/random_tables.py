"""Which calls draw random numbers, and from which generator: data for `random_checks`."""

from __future__ import annotations

import re

# A generator that the whole process shares → what draws from it.
DRAWS = {
    "random": re.compile(
        r"random\.(?:random|randint|randrange|randbytes|getrandbits|choices?|shuffle|sample"
        r"|uniform|triangular|gauss|normalvariate|lognormvariate|expovariate|betavariate"
        r"|gammavariate|paretovariate|weibullvariate|vonmisesvariate|binomialvariate)\Z"
    ),
    "numpy": re.compile(
        r"(?:numpy\.random\.(?:rand|randn|randint|random|random_sample|random_integers|ranf|sample"
        r"|bytes|choice|shuffle|permutation|beta|binomial|chisquare|dirichlet|exponential|f|gamma"
        r"|geometric|gumbel|hypergeometric|laplace|logistic|lognormal|logseries|multinomial"
        r"|multivariate_normal|negative_binomial|noncentral_\w+|normal|pareto|poisson|power"
        r"|rayleigh|standard_\w+|triangular|uniform|vonmises|wald|weibull|zipf)"
        r"|scipy\.stats\.\w+\.rvs)\Z"
    ),
    "torch": re.compile(
        r"torch\.(?:rand|randn|randint|randperm|rand_like|randn_like|randint_like|normal"
        r"|bernoulli|multinomial|poisson|utils\.data\.random_split"
        # Layers, whose weights torch draws.
        r"|nn\.(?:Linear|Bilinear|Conv\w+|Embedding|EmbeddingBag|RNN|LSTM|GRU|RNNCell|LSTMCell"
        r"|GRUCell|Transformer\w*|MultiheadAttention))\Z"
    ),
    "tensorflow": re.compile(
        r"tensorflow\.random\.(?:normal|uniform|shuffle|truncated_normal|categorical|gamma|poisson)"
        r"\Z"
    ),
}  # fmt: skip

# What seeds a generator, or all of them.
SEEDS = {
    "random.seed": ("random",),
    "numpy.random.seed": ("numpy",),
    "numpy.random.set_state": ("numpy",),
    "torch.manual_seed": ("torch",),
    "torch.random.manual_seed": ("torch",),
    "tensorflow.random.set_seed": ("tensorflow",),
    "tensorflow.set_random_seed": ("tensorflow",),
    "tensorflow.compat.v1.set_random_seed": ("tensorflow",),
}
ALL = tuple(DRAWS)
# Functions of others, and of one's own, that seed all there is: `set_seed`, `seed_everything`.
SEEDS_ALL = re.compile(
    r"(?:set_|fix_|reset_|manual_|init_|setup_)?(?:all_|random_|global_)*seeds?"
    r"(?:_everything|_all|_torch|ing)?\Z|seedBasic|seed_?everything\Z",
    re.IGNORECASE,
)

# Makes a generator of one's own; seeded by its first argument.
GENERATORS = frozenset(
    {"numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.SeedSequence",
     "numpy.random.PCG64", "numpy.random.MT19937", "random.Random"}
)  # fmt: skip

# scikit-learn and imbalanced-learn: random by default, numpy's generator unless `random_state`.
ESTIMATORS = re.compile(
    r"(?:sklearn|imblearn)\.(?:\w+\.)*(?:"
    r"train_test_split|shuffle|resample|permutation_importance|permutation_test_score"
    r"|ShuffleSplit|StratifiedShuffleSplit|GroupShuffleSplit|RepeatedKFold|RepeatedStratifiedKFold"
    r"|(?:Random|Isolation)Forest\w*|ExtraTrees?\w*|RandomTreesEmbedding|DecisionTree\w+"
    r"|Bagging\w+|AdaBoost\w+|RandomizedSearchCV|HalvingRandomSearchCV"
    r"|KMeans|MiniBatchKMeans|BisectingKMeans|SpectralClustering|GaussianMixture"
    r"|BayesianGaussianMixture|MLP(?:Classifier|Regressor)|BernoulliRBM"
    r"|SGD(?:Classifier|Regressor|OneClassSVM)|Perceptron|PassiveAggressive\w+"
    r"|TSNE|MDS|FastICA|LatentDirichletAllocation|TruncatedSVD|DictionaryLearning"
    r"|MiniBatch(?:NMF|SparsePCA|DictionaryLearning)"
    r"|GaussianRandomProjection|SparseRandomProjection|RBFSampler|Nystroem"
    r"|make_(?:blobs|circles|classification|friedman\d|gaussian_quantiles|hastie_10_2|low_rank_matrix"
    r"|moons|multilabel_classification|regression|s_curve|sparse_\w+|spd_matrix|swiss_roll)"
    r"|SMOTE\w*|ADASYN|BorderlineSMOTE|Random(?:Over|Under)Sampler"
    r")\Z"
)
# These are random only if they shuffle.
SHUFFLING = re.compile(r"sklearn\.(?:\w+\.)*(?:KFold|StratifiedKFold|StratifiedGroupKFold)\Z")
TORCH_LOADERS = re.compile(r"torch\.utils\.data\.(?:[\w.]+\.)?DataLoader\Z")
