"""C2ST of two samples by scikit-learn: the oracle of c2st_test. Arguments: FILE FILE COLUMNS;
the files hold little-endian float64 rows. Prints the mean accuracy; exit code 77 without
scikit-learn."""
import sys

try:
    import numpy as np
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.neural_network import MLPClassifier
except ImportError:
    sys.exit(77)

columns = int(sys.argv[3])
reference, sample = (np.fromfile(name, "<f8").reshape(-1, columns) for name in sys.argv[1:3])
mean, deviation = reference.mean(axis=0), reference.std(axis=0, ddof=1)
x = (np.concatenate([reference, sample]) - mean) / deviation
y = np.concatenate([np.zeros(len(reference)), np.ones(len(sample))])
network = MLPClassifier(
    activation="relu",
    hidden_layer_sizes=(10 * columns, 10 * columns),
    max_iter=1000,
    solver="adam",
    random_state=1,
)
folds = KFold(n_splits=5, shuffle=True, random_state=1)
print(cross_val_score(network, x, y, cv=folds, scoring="accuracy").mean())
